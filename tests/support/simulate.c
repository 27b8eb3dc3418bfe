/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever has the turn is the only one that touches what is here; the semaphores hand it over. */
#define _GNU_SOURCE 1 /* program_invocation_name */
#include "simulate.h"

#include "support.h"

#include "os/os.h"

#include <errno.h>
#include <filch/thread.h>
#include <inttypes.h>
#include <malloc.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS_MAX = 32,
    CHANGES_MAX = 4,     /* of priorities in one schedule */
    SPINS_MAX = 256,     /* on average, before who is held up goes on */
    STEPS_MAX = 1000000, /* a hundred times what scenarios take */
    SECONDS_MAX = 50,    /* of one schedule: it waits for something that is not simulated */
};

enum state { READY, WAITING, ENDED };

struct thread {
    enum state state;
    sem_t turn;
    pthread_t id;
    void *(*entry)(void *);
    void *argument;
    const uint32_t *word;         /* WAITING on this futex, or NULL */
    const struct thread *joining; /* WAITING for its end, or NULL */
    int64_t deadline_ns;          /* WAITING until then */
    bool is_late;                 /* it went on because of that */
    bool is_joined;
    uint64_t priority;
    const char *file; /* the last access that it was about to make */
    int line;
};

static struct {
    struct thread threads[THREADS_MAX];
    size_t count;
    size_t alive;
    sem_t over;
    const char *name; /* of the scenario */
    uint64_t number;  /* of the schedule */
    const char *complaint;
    bool is_printed;

    uint64_t random;
    uint64_t hash;
    uint64_t steps;
    int64_t now_ns;

    /* What the schedule is like. */
    bool by_priority;
    uint64_t stay;                 /* random walk: the chance to go on is (stay - 1) / stay */
    uint64_t changes[CHANGES_MAX]; /* by priority: steps at which the running thread's is lowered */
    int64_t step_ns;
    bool has_barrier;    /* membarrier(2) is to be had */
    bool is_interrupted; /* futex waits end now and then without reason */
} sim;

static __thread struct thread *self __attribute__((tls_model("initial-exec")));

/* --- reports --- */

static const char *base_name(const char *path)
{
    const char *slash = path == NULL ? NULL : strrchr(path, '/');
    return slash != NULL ? slash + 1 : path != NULL ? path : "its start";
}

static void report(void)
{
    fprintf(stderr, "%s, schedule %" PRIu64 " (%s): %s after %" PRIu64 " steps\n", sim.name,
            sim.number, sim.by_priority ? "priorities" : "random walk", sim.complaint, sim.steps);
    for (size_t i = 0; i < sim.count; i++) {
        const struct thread *t = &sim.threads[i];
        fprintf(stderr, "  thread %zu%s at %s:%d", i, t == self ? ", running," : "",
                base_name(t->file), t->line);
        if (t->state == READY)
            fprintf(stderr, "\n");
        else if (t->state == ENDED)
            fprintf(stderr, " has ended\n");
        else if (t->joining != NULL)
            fprintf(stderr, " joins thread %zu\n", (size_t)(t->joining - sim.threads));
        else
            fprintf(stderr, " sleeps on %p%s\n", (const void *)t->word,
                    t->deadline_ns == INT64_MAX ? "" : ", with a deadline");
    }
    fprintf(stderr, "again, with every step: FILCH_SCHEDULE=%s:%" PRIu64 " %s\n", sim.name,
            sim.number, program_invocation_name);
    (void)fflush(stderr);
}

static void on_signal(int number)
{
    if (sim.complaint == NULL)
        sim.complaint = strsignal(number);
    report();
    (void)raise(number); /* the default action: the handler is gone */
}

static void give_up(const char *complaint)
{
    sim.complaint = complaint;
    abort();
}

/* --- whose turn it is --- */

static uint64_t random_below(uint64_t below)
{
    return xt_random(&sim.random) % below;
}

static struct thread *pick(struct thread *const *ready, size_t count, bool yields)
{
    struct thread *best = NULL;
    if (count == 1)
        return ready[0];
    if (!sim.by_priority) {
        if (!yields && self->state == READY && random_below(sim.stay) != 0)
            return self;
        do
            best = ready[random_below(count)];
        while (yields && best == self);
        return best;
    }
    for (size_t i = 0; i < count; i++) {
        bool may_go_on = !(yields && ready[i] == self);
        if (may_go_on && (best == NULL || ready[i]->priority > best->priority))
            best = ready[i];
    }
    return best;
}

static struct thread *choose(bool yields)
{
    for (;;) {
        struct thread *ready[THREADS_MAX];
        size_t count = 0;
        int64_t next_ns = INT64_MAX;
        for (struct thread *t = sim.threads; t < sim.threads + sim.count; t++) {
            if (t->state == WAITING && t->deadline_ns <= sim.now_ns) {
                t->is_late = true;
                t->state = READY;
            }
            if (t->state == READY)
                ready[count++] = t;
            else if (t->state == WAITING && t->deadline_ns < next_ns)
                next_ns = t->deadline_ns;
        }
        if (count > 0)
            return pick(ready, count, yields);
        if (next_ns == INT64_MAX)
            give_up("deadlock");
        sim.now_ns = next_ns; /* everybody sleeps: time passes */
    }
}

static void await_turn(struct thread *t)
{
    while (sem_wait(&t->turn) != 0) {
    }
}

static void give_turn(struct thread *next)
{
    struct thread *t = self;
    if (next == t)
        return;
    bool has_ended = t->state == ENDED;
    (void)sem_post(&next->turn); /* from here on, nothing is ours */
    if (!has_ended)
        await_turn(t);
}

static uint64_t fresh_priority(void)
{
    return CHANGES_MAX + (xt_random(&sim.random) >> 1);
}

/* `what` the thread is about to do, if it is no access. */
static void step(const char *what, bool yields)
{
    size_t index = (size_t)(self - sim.threads);
    sim.hash = (sim.hash ^ ((uint64_t)self->line << 8) ^ index) * UINT64_C(0x100000001b3);
    sim.now_ns += sim.step_ns;
    if (sim.is_printed)
        fprintf(stderr, "%8" PRIu64 " %10" PRId64 " ns  thread %zu%*s%s:%d %s\n", sim.steps,
                sim.now_ns, index, 1 + 4 * (int)index, "", base_name(self->file), self->line, what);
    if (++sim.steps > STEPS_MAX)
        give_up("no end (livelock?)");
    for (size_t i = 0; i < CHANGES_MAX; i++) {
        if (sim.changes[i] == sim.steps)
            self->priority = i;
    }
    /* No system holds one up for ever while others spin. */
    bool spins_long = yields && random_below(SPINS_MAX) == 0;
    struct thread *next = choose(yields);
    if (yields)
        self->priority = fresh_priority(); /* or it and another one would spin for each other */
    for (size_t i = 0; spins_long && i < sim.count; i++)
        sim.threads[i].priority = fresh_priority();
    give_turn(next);
}

bool simulate_point(const char *file, int line)
{
    if (self == NULL)
        return false;
    self->file = file;
    self->line = line;
    step("", false);
    return true;
}

bool simulate_relax(void)
{
    if (self == NULL)
        return false;
    step("spins", true);
    return true;
}

/* Sleeps until somebody makes it READY, or until the deadline. */
static int sleep_until(int64_t deadline_ns)
{
    self->deadline_ns = deadline_ns;
    self->is_late = false;
    self->state = WAITING;
    give_turn(choose(false));
    self->word = NULL;
    self->joining = NULL;
    return self->is_late ? ETIMEDOUT : 0;
}

/* --- the simulated system --- */

/* Fresh memory holds no zeros, and freed memory nothing that was there. */
static void *sim_alloc(size_t size_bytes, size_t align_bytes)
{
    void *memory = filch__os_linux.alloc(size_bytes, align_bytes);
    if (memory != NULL)
        memset(memory, 0xa5, size_bytes);
    return memory;
}

static void sim_free(void *memory)
{
    if (memory != NULL)
        memset(memory, 0x5a, malloc_usable_size(memory));
    filch__os_linux.free(memory);
}

static int sim_futex_wait(uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
    if (self == NULL)
        return filch__os_linux.futex_wait(word, expected, deadline_ns);
    step("futex_wait", false);
    if (__atomic_load_n(word, __ATOMIC_RELAXED) != expected)
        return EAGAIN;
    if (sim.is_interrupted && random_below(8) == 0)
        return EINTR;
    self->word = word;
    return sleep_until(deadline_ns);
}

/* The kernel wakes those that have slept longest; programs may not rely on it. */
static void sim_futex_wake(uint32_t *word, int wanted)
{
    if (self == NULL) {
        filch__os_linux.futex_wake(word, wanted);
        return;
    }
    step("futex_wake", false);
    size_t first = random_below(sim.count);
    for (size_t i = 0; i < sim.count && wanted > 0; i++) {
        struct thread *t = &sim.threads[(first + i) % sim.count];
        if (t->state == WAITING && t->word == word) {
            t->state = READY;
            wanted--;
        }
    }
}

static void sim_yield(void)
{
    if (!simulate_relax())
        filch__os_linux.yield();
}

static int64_t sim_now_ns(void)
{
    if (self == NULL)
        return filch__os_linux.now_ns();
    return sim.now_ns += sim.step_ns;
}

/* With one thread at a time every access is ordered already. */
static int sim_barrier(void)
{
    if (self != NULL)
        step("barrier", false);
    return sim.has_barrier ? 0 : ENOSYS;
}

static int sim_barrier_ready(void)
{
    return sim.has_barrier ? 0 : ENOSYS;
}

static void *thread_main(void *argument)
{
    struct thread *t = argument;
    await_turn(t);
    self = t;
    void *result = t->entry(t->argument);
    for (struct thread *other = sim.threads; other < sim.threads + sim.count; other++) {
        if (other->state == WAITING && other->joining == t)
            other->state = READY;
    }
    t->state = ENDED;
    if (--sim.alive == 0)
        (void)sem_post(&sim.over);
    else
        give_turn(choose(false));
    self = NULL;
    return result;
}

/* A new thread, which waits for its turn. */
static int start(pthread_t *id, const pthread_attr_t *attributes, void *(*entry)(void *),
                 void *argument)
{
    struct thread *t = &sim.threads[sim.count];
    if (sim.count == THREADS_MAX)
        return EAGAIN;
    *t = (struct thread){.entry = entry, .argument = argument, .priority = fresh_priority()};
    (void)sem_init(&t->turn, 0, 0);
    int error = pthread_create(id, attributes, thread_main, t);
    if (error != 0)
        return error;
    t->id = *id;
    sim.count++;
    sim.alive++;
    return 0;
}

static int sim_thread_create(pthread_t *id, const pthread_attr_t *attributes,
                             void *(*entry)(void *), void *argument)
{
    if (self == NULL)
        return filch__os_linux.thread_create(id, attributes, entry, argument);
    int error = start(id, attributes, entry, argument);
    step("thread_create", false);
    return error;
}

static int sim_thread_join(pthread_t id, void **result)
{
    for (struct thread *t = sim.threads; self != NULL && t < sim.threads + sim.count; t++) {
        if (t->is_joined || !pthread_equal(t->id, id))
            continue;
        step("thread_join", false);
        t->is_joined = true;
        self->joining = t;
        if (t->state != ENDED)
            (void)sleep_until(INT64_MAX);
        self->joining = NULL;
    }
    return filch__os_linux.thread_join(id, result);
}

/* --- schedules --- */

static void draw_schedule(uint64_t number)
{
    sim.number = number;
    sim.random = number;
    sim.hash = 0;
    sim.steps = 0;
    sim.complaint = NULL;
    sim.count = 0;
    sim.alive = 0;
    sim.now_ns = 1000000000;
    sim.by_priority = random_below(2) == 0;
    sim.stay = UINT64_C(1) << random_below(6);
    uint64_t length = UINT64_C(32) << random_below(8);
    for (size_t i = 0; i < CHANGES_MAX; i++)
        sim.changes[i] = 1 + random_below(length);
    sim.step_ns = INT64_C(100) << random_below(5);
    sim.has_barrier = random_below(4) != 0;
    sim.is_interrupted = random_below(4) == 0;
}

static void *body_main(void *body)
{
    (*(void (**)(void))body)();
    return NULL;
}

static void *do_nothing(void *argument)
{
    return argument;
}

/* What the library does once in the life of a process is not to be a part of the first schedule. */
static void warm_up(void)
{
    static bool is_warm;
    struct filch_thread *thread = NULL;
    if (is_warm)
        return;
    is_warm = true;
    if (filch_thread_spawn(&thread, NULL, do_nothing, NULL) != 0 ||
        filch_thread_join(thread, NULL, NULL) != 0)
        abort();
}

uint64_t simulate_schedule(uint64_t number, void (*body)(void))
{
    static struct os_table table;
    pthread_t first;
    warm_up();
    table = filch__os_linux;
    table.alloc = sim_alloc;
    table.free = sim_free;
    table.thread_create = sim_thread_create;
    table.thread_join = sim_thread_join;
    table.futex_wait = sim_futex_wait;
    table.futex_wake = sim_futex_wake;
    table.yield = sim_yield;
    table.now_ns = sim_now_ns;
    table.coarse_now_ns = sim_now_ns;
    table.barrier = sim_barrier;
    table.barrier_ready = sim_barrier_ready;
    if (sim.name == NULL)
        sim.name = "schedule";
    draw_schedule(number);
    (void)sem_init(&sim.over, 0, 0);
    filch__os_replace(&table);
    xt_use_one_cpu(true); /* a turn is handed over far more quickly there */
    if (start(&first, NULL, body_main, &body) != 0)
        abort();
    (void)sem_post(&sim.threads[0].turn);
    while (sem_wait(&sim.over) != 0) {
    }
    (void)pthread_join(first, NULL);
    xt_use_one_cpu(false);
    filch__os_replace(NULL);
    return sim.hash;
}

static void set_handlers(bool ours)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS};
    static struct sigaction before[3];
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        if (ours)
            (void)sigaction(signals[i], &action, &before[i]);
        else
            (void)sigaction(signals[i], &before[i], NULL);
    }
}

void simulate(const char *name, unsigned count, void (*body)(void))
{
    const char *which = getenv("FILCH_SCHEDULE");
    const char *wanted = getenv("FILCH_SCHEDULES");
    uint64_t number = 0;
    uint64_t end = wanted != NULL ? strtoull(wanted, NULL, 0) : xt_scaled(count);
    bool is_one = false;
    if (which != NULL) {
        size_t length = strlen(name);
        if (strncmp(which, name, length) != 0 || strchr(":", which[length]) == NULL)
            return; /* another scenario is to be run */
        is_one = which[length] == ':';
    }
    if (is_one) {
        number = strtoull(strchr(which, ':') + 1, NULL, 0);
        end = number + 1;
    }
    sim.name = name;
    set_handlers(true);
    /* What a process does once is done before the first: each is the same wherever it runs. */
    sim.is_printed = is_one && number == 0;
    (void)simulate_schedule(0, body);
    sim.is_printed = is_one;
    for (; number < end; number++) {
        xt_watch(name, SECONDS_MAX);
        (void)simulate_schedule(number, body);
        unsigned failures = xt_take_failures();
        if (failures == 0)
            continue;
        sim.complaint = "expectations failed";
        report();
        xt_expect_equal(failures, 0);
        break;
    }
    sim.is_printed = false;
    set_handlers(false);
}

size_t simulate_choice(size_t below)
{
    return random_below(below);
}

void simulate_sleep(int64_t duration_ns)
{
    uint32_t never = 0;
    int64_t end_ns = sim.now_ns + duration_ns;
    while (sim.now_ns < end_ns)
        (void)sim_futex_wait(&never, 0, end_ns);
}
