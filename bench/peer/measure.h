/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks and memory readings of the serving process. */
#ifndef FILCH_BENCH_PEER_MEASURE_H
#define FILCH_BENCH_PEER_MEASURE_H

#include <stddef.h>

/* Takes the present resident size as the zero of bench_rss_growth_kib. */
void bench_rss_mark(void);

/* Returns by how many KiB the peak resident size has grown since the mark. */
long bench_rss_growth_kib(void);

/* The values that the present run has reported itself; bench_reported_clear forgets them. */
size_t bench_reported(const double **values);
void bench_reported_clear(void);

/* Prints " METRIC=VALUE" for each value of bench_report_also; bench_reported_clear forgets them too. */
void bench_also_print(void);

/* Tells bench_workers what to answer. */
void bench_workers_set(unsigned workers);

#endif
