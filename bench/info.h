/* SPDX-License-Identifier: Apache-2.0 */
/* `filch-bench info`. */
#ifndef FILCH_BENCH_INFO_H
#define FILCH_BENCH_INFO_H

/* Prints what the default pool sees of this machine. Returns the exit status. */
int info_print(void);

#endif
