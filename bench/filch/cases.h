/* SPDX-License-Identifier: Apache-2.0 */
/* The implementations on filch. */
#ifndef FILCH_BENCH_FILCH_CASES_H
#define FILCH_BENCH_FILCH_CASES_H

/* forkjoin.c: the function form of join, and scopes */
void filch_case_fib(void *data);
void filch_case_stuck(void *data);

/* panics.c */
void filch_case_catch(void *data);
void filch_case_panic(void *data);

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

/* locks.c */
void filch_case_mutex(void *data);
void filch_case_mutex_threads(void *data);
void filch_case_mutex_tasks(void *data);
void filch_case_mutex_handoff(void *data);
void filch_case_rwlock_read(void *data);
void filch_case_rwlock_write(void *data);
void filch_case_rwlock_threads(void *data);
void filch_case_condvar_threads(void *data);
void filch_case_condvar_tasks(void *data);
void filch_case_barrier(void *data);
void filch_case_barrier_tasks(void *data);

/* channels.c */
void filch_case_channels_threads(void *data);
void filch_case_channels_tasks(void *data);

/* switching.c, switch.c */
void filch_case_task_yield(void *data);
void filch_case_task_run(void *data);
void filch_case_task_wait(void *data);
void filch_case_task_wait_alone(void *data);
void filch_case_switch(void *data);

/* roaming.c */
void filch_case_pingpong(void *data);
void filch_case_pingpong_roaming(void *data);
void filch_case_woken(void *data);
void filch_case_woken_roaming(void *data);

/* waiting.c */
void filch_case_blocked(void *data);
void filch_case_timers(void *data);

/* latency.c */
void filch_case_wake(void *data);
void filch_case_wake_install(void *data);
void filch_case_wake_caller(void *data);
void filch_case_idle(void *data);
void filch_case_first_task(void);

/* growth.c */
void filch_case_grain(void *data);
void filch_case_grain_loop(void *data);
void filch_case_grain_fork(void *data);
void filch_case_depth(void *data);
void filch_case_depth_forked(void *data);
void filch_case_iterations(void *data);

/* threads.c */
void filch_case_thread_spawn(void *data);
void filch_case_park(void *data);
void filch_case_park_pair(void *data);
void filch_case_arc(void *data);
void filch_case_arc_2(void *data);

#endif
