/* SPDX-License-Identifier: Apache-2.0 */
#include "park/spin.h"

#include "base/section.h"
#include "os/os.h"

enum {
    PAUSING_STEPS = 10, /* 70 pauses, 2 to 4 us: ten times what another processor's answer takes */
    PAUSING_STEPS_CLOSELY = 70, /* the same time */
    PAUSES_MAX = 8,
    TURN_NS = 500 * 1000, /* less than the system lets a thread run while others wait */
    LOOK_EVERY = 64,      /* of so many waits at locks one looks at the clock */
    TIMED_WAITS = 9,      /* of as many; these many, to find out about the work */
    SHORT_NS = 1000,      /* two waits that begin within it had short work in between */
    GIVE_WAY_NS = 200 * 1000,
    SOON_NS = 10000, /* a wake-up through the kernel takes longer, and costs the waker a call */
    WAITS_WITHOUT_PAUSES = 16,
    YIELDING_STEPS = 32,
    NAP_NS = 50000,
};

/* Pauses were in vain: so many of this thread's next waits do without. Own. */
static __thread unsigned without_pauses __attribute__((tls_model("initial-exec")));

/* The next wait does not begin to spin. Own. */
static __thread bool is_futile __attribute__((tls_model("initial-exec")));

FILCH_WAKE_PATH void filch__spin_is_futile(void)
{
    is_futile = true;
}

static void pause(int step, int most)
{
    int pauses = step < 2 ? 2 << step : most;
    for (int i = 0; i < pauses && i < most; i++)
        filch__cpu_relax();
}

/* Steps of up to `most` pauses each, then yields. */
static FILCH_ALWAYS_INLINE bool spin(struct spin *s, int pausing_steps, int most)
{
    if (FILCH_UNLIKELY(is_futile)) {
        is_futile = false;
        if (s->step == 0)
            return false;
    }
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

FILCH_WAKE_PATH bool filch__spin_closely(struct spin *s)
{
    return spin(s, PAUSING_STEPS_CLOSELY, 1);
}

/* Lets others run, unless that was done less than `every_ns` ago. */
static void yield_every(int64_t every_ns, int64_t *since_ns)
{
    if (filch__os->now_ns() - *since_ns < every_ns)
        return;
    filch__os->yield();
    *since_ns = filch__os->now_ns();
}

/* Those that have no processor get their turn, now and then. */
static void take_turns(void)
{
    static __thread unsigned waits __attribute__((tls_model("initial-exec")));
    static __thread int64_t since_ns __attribute__((tls_model("initial-exec")));
    if (++waits % LOOK_EVERY == 0)
        yield_every(TURN_NS, &since_ns);
}

/* This thread was woken, and has woken nobody since. Own. */
static __thread bool has_turn __attribute__((tls_model("initial-exec")));

void filch__turn_begins(void)
{
    has_turn = true;
}

void filch__give_way(void)
{
    static __thread int64_t since_ns __attribute__((tls_model("initial-exec")));
    if (has_turn)
        has_turn = false;
    else
        yield_every(GIVE_WAY_NS, &since_ns);
}

/* Whether the work at locks is so short that one who looks often costs its owner more than he gains: the word
 * of the lock has to come back each time. A few of many waits tell, those that begin soon after another one, since
 * in between this thread has waited, had the lock, and been outside. They pause as if the work were longer: long
 * pauses would hide it. */
static bool is_work_short(void)
{
    static __thread unsigned waits __attribute__((tls_model("initial-exec")));
    static __thread int64_t began_ns __attribute__((tls_model("initial-exec")));
    static __thread bool was_short __attribute__((tls_model("initial-exec")));
    unsigned number = waits++ % LOOK_EVERY;
    if (number >= TIMED_WAITS)
        return was_short;
    int64_t last_ns = began_ns;
    began_ns = filch__os->now_ns();
    was_short = number > 0 && (was_short || began_ns - last_ns < SHORT_NS);
    return false;
}

/* How one waits at a lock: pauses before the first look and before others, how many looks, then yields, as
 * the owner may have lost its processor to the one that waits. */
static const struct pace {
    int first, others, looks, yields;
} usual_pace = {8, 2, 47, 2}, short_pace = {64, 8, 12, 0};

bool filch__spin_at_lock(struct spin *s)
{
    if (s->step == 0) {
        take_turns();
        s->is_short = is_work_short();
    }
    const struct pace *pace = s->is_short ? &short_pace : &usual_pace;
    int step = s->step++;
    if (step >= pace->looks + pace->yields)
        return false;
    if (step >= pace->looks) {
        filch__os->yield();
        return true;
    }
    for (int i = step == 0 ? pace->first : pace->others; i > 0; i--)
        filch__cpu_relax();
    return true;
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
