/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine itself has to offer at this moment: threads that share nothing, each pinned to a
 * CPU of its own, against one. On shared machines a second CPU is sometimes worth 1.3, sometimes 2;
 * no scheduler can do better than that. */
#ifndef FILCH_BENCH_CANARY_H
#define FILCH_BENCH_CANARY_H

/* Returns the speed-up of `threads` threads (at most one per CPU that may be used) over one. Takes
 * about 20 ms. */
double canary_speedup(unsigned threads);

/* The number of CPUs that this process may use. */
unsigned canary_cpus(void);

#endif
