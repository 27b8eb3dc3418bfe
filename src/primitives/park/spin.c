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
    SHORT_NS = 800,       /* who has had a lock waits for it again within it: short work */
    TIMED_MAX = 8,        /* so many that are none of that in a row: longer work */
    WAITS_IF_SHORT = 500, /* so many waits until that is asked again */
    WAITS_IF_LONG = 32,
    LOOKS_IF_SHORT = 4,
    PAUSES_IF_SHORT = 64, /* before each of them */
    PAUSES_AT_LOCK = 100, /* in all, for longer work: 2.5 us */
    YIELDS_AT_LOCK = 2,
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

/* What this thread has found out about the work at locks. Own. */
static __thread struct {
    const void *lock; /* that it had, after waiting for it */
    int64_t since_ns; /* since then; 0: not timed */
    unsigned timed;   /* so many did not come back soon */
    unsigned known;   /* for so many waits */
    bool is_short;
} work __attribute__((tls_model("initial-exec")));

/* Whether the work at locks is so short that one who looks often costs its owner more than he gains: the word
 * of the lock has to come back each time. One that has waited, had the lock, been outside, and waits again at once
 * had short work. It takes time to see that where the other one knows already, and looks seldom: so it is
 * believed for long, and the contrary is not. */
static bool is_work_short(const void *lock)
{
    if (work.known > 0) {
        work.known--;
        return work.is_short;
    }
    int64_t since_ns = work.since_ns;
    work.since_ns = 0;
    work.is_short = false;
    if (since_ns == 0 || work.lock != lock)
        return false;
    if (filch__os->now_ns() - since_ns < SHORT_NS) {
        work.is_short = true;
        work.known = WAITS_IF_SHORT;
        work.timed = 0;
    } else if (++work.timed == TIMED_MAX) {
        work.known = WAITS_IF_LONG;
        work.timed = 0;
    }
    return work.is_short;
}

void filch__spin_has_lock(const struct spin *s, const void *lock)
{
    if (s->step == 0 || work.known > 0)
        return;
    work.lock = lock;
    work.since_ns = filch__os->now_ns();
}

/* How many pauses before the next look; 0: no more. Where the work is longer, a quarter of those that there have
 * been: so little time is lost whenever it ends, and few looks are taken of one that goes on. */
static int pauses_at_lock(const struct spin *s)
{
    if (s->is_short)
        return s->step < LOOKS_IF_SHORT * PAUSES_IF_SHORT ? PAUSES_IF_SHORT : 0;
    int left = PAUSES_AT_LOCK - s->step;
    int pauses = 1 + s->step / 4;
    if (pauses > left)
        pauses = left;
    return pauses > 0 ? pauses : 0;
}

bool filch__spin_at_lock(struct spin *s, const void *lock)
{
    if (s->step == 0) {
        take_turns();
        s->is_short = is_work_short(lock);
    }
    int pauses = pauses_at_lock(s);
    if (pauses == 0) { /* the owner may have lost its processor to the one that waits */
        if (s->is_short || s->step == PAUSES_AT_LOCK + YIELDS_AT_LOCK)
            return false;
        s->step++;
        filch__os->yield();
        return true;
    }
    s->step += pauses;
    for (; pauses > 0; pauses--)
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
