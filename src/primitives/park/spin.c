/* SPDX-License-Identifier: Apache-2.0 */
#include "park/spin.h"

#include "os/os.h"

enum {
    PAUSING_STEPS = 10, /* 70 pauses, 2 to 4 us: ten times what another processor's answer takes */
    PAUSING_STEPS_IN_CROWD = 3,
    PAUSING_STEPS_CLOSELY = 70, /* the same time */
    PAUSES_MAX = 8,
    SOON_NS = 10000, /* a wake-up through the kernel takes longer, and costs the waker a call */
    WAITS_WITHOUT_PAUSES = 16,
    YIELDING_STEPS = 32,
    NAP_NS = 50000,
};

/* Pauses were in vain: so many of this thread's next waits do without. Own. */
static __thread unsigned without_pauses __attribute__((tls_model("initial-exec")));

static void pause(int step, int most)
{
    int pauses = step < 2 ? 2 << step : most;
    for (int i = 0; i < pauses && i < most; i++)
        filch__cpu_relax();
}

/* Steps of up to `most` pauses each, then yields. */
static FILCH_ALWAYS_INLINE bool spin(struct spin *s, int pausing_steps, int most)
{
    if (s->step == 0 && without_pauses > 0) {
        without_pauses--;
        s->step = pausing_steps;
    }
    if (s->step < pausing_steps) {
        pause(s->step++, most);
        if (s->step == pausing_steps)
            without_pauses = WAITS_WITHOUT_PAUSES;
        return true;
    }
    int64_t now_ns = filch__os->now_ns();
    if (s->step == pausing_steps)
        s->end_ns = now_ns + SOON_NS;
    if (now_ns >= s->end_ns)
        return false;
    s->step++;
    filch__os->yield();
    return true;
}

bool filch__spin(struct spin *s)
{
    return spin(s, PAUSING_STEPS, PAUSES_MAX);
}

bool filch__spin_closely(struct spin *s)
{
    return spin(s, PAUSING_STEPS_CLOSELY, 1);
}

bool filch__spin_in_crowd(struct spin *s)
{
    if (s->step == PAUSING_STEPS_IN_CROWD)
        s->step = PAUSING_STEPS;
    return filch__spin(s);
}

void filch__spin_on(int step)
{
    uint32_t nobody_wakes_this = 0;
    if (step < PAUSING_STEPS)
        pause(step, PAUSES_MAX);
    else if (step < YIELDING_STEPS)
        filch__os->yield();
    else
        (void)filch__os->futex_wait(&nobody_wakes_this, 0, filch__os->now_ns() + NAP_NS);
}
