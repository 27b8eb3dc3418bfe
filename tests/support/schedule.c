/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include "simulate.h"
#include "support.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

enum {
    YIELD_EVERY = 8,
    SLEEP_EVERY = 64,
    SLEEP_NS_MAX = 50000,
    STALL_EVERY = 4096,
    STALL_NS_MAX = 2000000,
};

static struct {
    int mode;
    uint64_t seed;
    uint64_t threads; /* that have come by so far */
} schedule;

static __thread uint64_t state __attribute__((tls_model("initial-exec")));
static __thread uint64_t state_seed __attribute__((tls_model("initial-exec")));

void schedule_perturb(enum schedule_mode mode, uint64_t seed)
{
    __atomic_store_n(&schedule.seed, seed, __ATOMIC_RELAXED);
    __atomic_store_n(&schedule.mode, (int)mode, __ATOMIC_RELEASE);
}

const char *schedule_name(enum schedule_mode mode)
{
    static const char *const names[] = {"off", "yield", "sleep", "stall"};
    return names[mode];
}

static void nap(uint64_t duration_ns)
{
    struct timespec rest = {.tv_nsec = (long)duration_ns};
    (void)nanosleep(&rest, NULL);
}

static void perturb(int mode)
{
    uint64_t seed = __atomic_load_n(&schedule.seed, __ATOMIC_RELAXED);
    if (state == 0 || state_seed != seed) {
        uint64_t number = __atomic_fetch_add(&schedule.threads, 1, __ATOMIC_RELAXED);
        state_seed = seed;
        state = seed + (number << 32);
        (void)prctl(PR_SET_TIMERSLACK, 1UL); /* by default naps are 50 us longer */
    }
    uint64_t random = xt_random(&state);
    uint64_t more = random >> 32;
    if (mode == SCHEDULE_YIELD && random % YIELD_EVERY == 0)
        (void)sched_yield();
    else if (mode == SCHEDULE_SLEEP && random % SLEEP_EVERY == 0)
        nap(more % SLEEP_NS_MAX);
    else if (mode == SCHEDULE_STALL && random % STALL_EVERY == 0)
        nap(more % STALL_NS_MAX);
}

void filch__sched_point(const char *file, int line)
{
    int saved_errno = errno;
    int mode = __atomic_load_n(&schedule.mode, __ATOMIC_ACQUIRE);
    if (!simulate_point(file, line) && mode != SCHEDULE_OFF)
        perturb(mode);
    errno = saved_errno;
}

void filch__sched_relax(void)
{
    int saved_errno = errno;
    (void)simulate_relax();
    errno = saved_errno;
}
