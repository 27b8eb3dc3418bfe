/* SPDX-License-Identifier: Apache-2.0 */
/* The implementations on filch. */
#ifndef FILCH_BENCH_FILCH_CASES_H
#define FILCH_BENCH_FILCH_CASES_H

/* forkjoin.c: the function form of join, and scopes */
void filch_case_fib(void *data);
void filch_case_stuck(void *data);

/* typed.c: the typed form of join */
void filch_case_fib_typed(void *data);
void filch_case_nqueens(void *data);
void filch_case_uts(void *data);
void filch_case_msort(void *data);

/* tasks.c */
void filch_case_flat(void *data);
void filch_case_submit(void *data);
void filch_case_submit_batch(void *data);

/* numeric.c */
void filch_case_dispatch(void *data);
void filch_case_saxpy(void *data);
void filch_case_dot(void *data);
void filch_case_stencil(void *data);
void filch_case_mandelbrot(void *data);
void filch_case_spmv(void *data);
void filch_case_pagerank(void *data);
void filch_case_components(void *data);

/* latency.c */
void filch_case_wake(void *data);
void filch_case_wake_install(void *data);
void filch_case_idle(void *data);
void filch_case_first_task(void);

#endif
