/* SPDX-License-Identifier: Apache-2.0 */
/* What the perturbed stress programs share: each test runs its rounds under one schedule after the
 * other, a share of FILCH_STRESS_SECONDS each. */
#ifndef FILCH_STRESS_PERTURBED_H
#define FILCH_STRESS_PERTURBED_H

#include "test.h"

#include "schedule.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUND_SECONDS_MAX = 30 };

/* Runs round(seed, n) for n = 0, 1, 2, ... under every schedule; a round that hangs ends the program
 * with its name. */
static inline void perturbed_run(const char *name, void (*round)(uint64_t *random))
{
    static char what[128];
    uint64_t random = xt_seed();
    for (int mode = SCHEDULE_OFF; mode < SCHEDULE_MODES; mode++) {
        int64_t end_ns = xt_now_ns() + xt_stress_ns(1.0) / SCHEDULE_MODES;
        unsigned rounds = 0;
        schedule_perturb((enum schedule_mode)mode, xt_seed());
        do {
            snprintf(what, sizeof what, "%s, schedule %s, round %u", name,
                     schedule_name((enum schedule_mode)mode), rounds++);
            xt_watch(what, ROUND_SECONDS_MAX);
            round(&random);
        } while (xt_now_ns() < end_ns);
        if (getenv("FILCH_STRESS_SECONDS") != NULL)
            print_message("%s\n", what); /* so many rounds, and one */
    }
    schedule_perturb(SCHEDULE_OFF, xt_seed());
}

#endif
