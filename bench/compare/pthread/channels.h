/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILCH_BENCH_COMPARE_PTHREAD_CHANNELS_H
#define FILCH_BENCH_COMPARE_PTHREAD_CHANNELS_H

void pthread_case_channels(void *data);

/* ucontext.c: the C library's switch */
void pthread_case_switch(void *data);

#endif
