/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated schedules: in a build with -DFILCH_TEST_HOOKS=1 the library's real code runs on real
 * threads of which exactly one goes on at a time. Before every atomic access, futex call and start or
 * end of a thread a chooser picks the next one; sleep, wake-up, time and deadlines are simulated. So
 * a schedule is its number: it can be run again, and where nobody can go on, that is seen.
 *
 *     static void scenario(void) { ... filch_thread_spawn ... xt_expect ... }
 *     simulate("scenario", 2000, scenario);
 *
 * Half of the schedules are random walks: at each point, the running thread goes on or any other
 * one does. The other half give threads random priorities and lower that of the running one at a few
 * random points (PCT: Burckhardt, Kothari, Musuvathi & Nagarakatte 2010), which finds what needs one
 * thread to be held up for long. Memory is sequentially consistent here; weaker orders are the
 * business of tests/model.
 *
 * In a scenario, whatever waits or lets others see a change goes through the library: threads are
 * filch_thread_spawn()'s, shared words are accessed by FILCH_LOAD and the like. A schedule is over
 * when all of its threads have ended, joined or not.
 */
#ifndef FILCH_SUPPORT_SIMULATE_H
#define FILCH_SUPPORT_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs body on a thread of its own under the schedules 0 to count - 1, as one failed test if under
 * one of them an expectation fails, the library aborts, nobody can go on (deadlock), or a million
 * steps do not end it. Then it says how to run that schedule again:
 *     FILCH_SCHEDULE=name:7   only this one, and every step of it is printed
 *     FILCH_SCHEDULE=name     only this scenario
 *     FILCH_SCHEDULES=100000  so many of each scenario */
void simulate(const char *name, unsigned count, void (*body)(void));

/* Runs body under one schedule. Returns a number that stands for all of its steps. */
uint64_t simulate_schedule(uint64_t number, void (*body)(void));

/* In a scenario: a choice of its own, 0 to below - 1; and a sleep in simulated time. */
size_t simulate_choice(size_t below);
void simulate_sleep(int64_t duration_ns);

/* What the hooks of the library call. Return false on a thread that is not simulated. */
bool simulate_point(const char *file, int line);
bool simulate_relax(void);

#endif
