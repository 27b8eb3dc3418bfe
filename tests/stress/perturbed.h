/* SPDX-License-Identifier: Apache-2.0 */
/* What the perturbed stress programs share: each test runs its rounds under one schedule after the
 * other, a share of FILCH_STRESS_SECONDS each. Where a test counts what it does, FILCH_STRESS_COUNT=N
 * has it do N under schedules that are perturbed, however long that takes. */
#ifndef FILCH_STRESS_PERTURBED_H
#define FILCH_STRESS_PERTURBED_H

#include "test.h"

#include "schedule.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUND_SECONDS_MAX = 30 };

/* How many of `count` are done under that schedule: equal shares under those that are perturbed, which
 * make up `count`, and some more under the one that is not. */
static inline uint64_t perturbed_share(enum schedule_mode mode, uint64_t count)
{
    uint64_t share = (count + SCHEDULE_MODES - 2) / (SCHEDULE_MODES - 1);
    return mode == SCHEDULE_OFF ? (share + 3) / 4 : share;
}

/* Runs round(seed, n) for n = 0, 1, 2, ... under every schedule; a round that hangs ends the program
 * with its name. Each round does so many of what is counted, or nothing is. */
static inline void perturbed_run_counting(const char *name, void (*round)(uint64_t *random),
                                          uint64_t in_round)
{
    static char what[128];
    uint64_t random = xt_seed(), count = in_round == 0 ? 0 : xt_stress_count(0), perturbed = 0;
    for (int mode = SCHEDULE_OFF; mode < SCHEDULE_MODES; mode++) {
        uint64_t share = perturbed_share((enum schedule_mode)mode, count), rounds = 0;
        int64_t end_ns = xt_now_ns() + xt_stress_ns(1.0) / SCHEDULE_MODES;
        schedule_perturb((enum schedule_mode)mode, xt_seed());
        do {
            (void)snprintf(what, sizeof what, "%s, schedule %s, round %ju", name,
                           schedule_name((enum schedule_mode)mode), (uintmax_t)rounds++);
            xt_watch(what, ROUND_SECONDS_MAX);
            round(&random);
        } while (count != 0 ? rounds * in_round < share : xt_now_ns() < end_ns);
        if (mode != SCHEDULE_OFF)
            perturbed += rounds * in_round;
        if (count != 0 || getenv("FILCH_STRESS_SECONDS") != NULL)
            print_message("%s\n", what); /* so many rounds, and one */
    }
    schedule_perturb(SCHEDULE_OFF, xt_seed());
    assert_true(perturbed >= count);
}

static inline void perturbed_run(const char *name, void (*round)(uint64_t *random))
{
    perturbed_run_counting(name, round, 0);
}

#endif
