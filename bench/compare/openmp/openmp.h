/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenMP implementations; compiled for libgomp and, by another compiler, for libomp. Fork-join
 * and task cases use tasks, numeric loops `parallel for` with the schedule that OMP_SCHEDULE names,
 * so that every schedule is the same code. */
#ifndef FILCH_BENCH_COMPARE_OPENMP_OPENMP_H
#define FILCH_BENCH_COMPARE_OPENMP_OPENMP_H

/* forkjoin.c */
void openmp_fib(void *data);
void openmp_nqueens(void *data);
void openmp_uts(void *data);
void openmp_msort(void *data);
void openmp_stuck(void *data);
void openmp_flat(void *data);

/* numeric.c */
void openmp_dispatch(void *data);
void openmp_saxpy(void *data);
void openmp_dot(void *data);
void openmp_stencil(void *data);
void openmp_mandelbrot(void *data);
void openmp_spmv(void *data);
void openmp_pagerank(void *data);
void openmp_components(void *data);

/* growth.c */
void openmp_grain(void *data);
void openmp_iterations(void *data);

#endif
