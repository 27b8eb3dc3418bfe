/* SPDX-License-Identifier: Apache-2.0 */
/* Perturbed schedules: in a build with -DFILCH_TEST_HOOKS=1 the library calls filch__sched_point()
 * before every atomic access, and this one gives the processor away there, now and then. Orders of
 * events that a quiet machine shows once in a day appear within a second, above all wake-ups that
 * somebody loses. In other builds nothing calls it, and the tests are plain stress tests. */
#ifndef FILCH_SUPPORT_SCHEDULE_H
#define FILCH_SUPPORT_SCHEDULE_H

#include <stdint.h>

enum schedule_mode {
    SCHEDULE_OFF,
    SCHEDULE_YIELD, /* sched_yield() at one access of 8 */
    SCHEDULE_SLEEP, /* a sleep below 50 us at one access of 64 */
    SCHEDULE_STALL, /* a sleep below 2 ms at one access of 4096: a thread that has lost its turn */
    SCHEDULE_MODES,
};

/* Perturbs all threads from now on. Each thread has a sequence of its own, which depends on the seed
 * and on the order in which threads first came by. */
void schedule_perturb(enum schedule_mode mode, uint64_t seed);

const char *schedule_name(enum schedule_mode mode);

/* What the library calls, before an atomic access and where it spins. A thread of a simulated schedule
 * (simulate.h) is handed on there. */
void filch__sched_point(const char *file, int line);
void filch__sched_relax(void);

#endif
