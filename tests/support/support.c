/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1 /* affinities */
#include "support.h"

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ThreadSanitizer ends children that start threads after a fork of a process with threads; the tests
 * of fork do just that. */
#if XT_TSAN
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}
#endif

/* --- expectations --- */

static unsigned failures;

void xt__expect(bool holds, const char *text, const char *file, int line)
{
    if (holds)
        return;
    /* The first few say what is wrong; a thousand more would hide them. */
    if (__atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST) < 20)
        fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
}

void xt__expect_equal(intmax_t actual, intmax_t expected, const char *text, const char *file,
                      int line)
{
    if (actual == expected)
        return;
    if (__atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST) < 20)
        fprintf(stderr, "%s:%d: does not hold: %s (%jd, not %jd)\n", file, line, text, actual,
                expected);
}

unsigned xt_take_failures(void)
{
    return __atomic_exchange_n(&failures, 0, __ATOMIC_SEQ_CST);
}

/* --- time --- */

enum { NS_PER_S = 1000000000, SANITIZER_STRETCH = 6, CHILD_SECONDS = 60 };

int64_t xt_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

void xt_sleep_ns(int64_t duration_ns)
{
    struct timespec rest = {.tv_sec = (time_t)(duration_ns / NS_PER_S),
                            .tv_nsec = (long)(duration_ns % NS_PER_S)};
    while (nanosleep(&rest, &rest) == -1 && errno == EINTR)
        ;
}

int64_t xt_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

bool xt_is_emulated(void)
{
    return getenv("FILCH_TEST_EMULATED") != NULL;
}

size_t xt_scaled(size_t count)
{
    if (XT_TSAN || XT_ASAN || xt_is_emulated())
        count /= 20;
    return count == 0 ? 1 : count;
}

bool xt_has_migration(void)
{
#if defined(__x86_64__)
    return !XT_TSAN;
#else
    return false;
#endif
}

int64_t xt_stress_ns(double seconds)
{
    const char *text = getenv("FILCH_STRESS_SECONDS");
    if (text != NULL && text[0] != '\0')
        seconds = strtod(text, NULL);
    return (int64_t)(seconds * NS_PER_S);
}

uint64_t xt_stress_count(uint64_t count)
{
    const char *text = getenv("FILCH_STRESS_COUNT");
    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 10) : count;
}

/* The watchdog calls this while others fork, so it takes no lock of the C library's or of a sanitizer's. */
static int64_t read_delay_ns(int task, const char *thread)
{
    char path[64], text[128];
    (void)snprintf(path, sizeof path, "%s/schedstat", thread);
    long file = syscall(SYS_openat, task, path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0; /* it has ended */
    long length = syscall(SYS_read, file, text, sizeof text - 1);
    (void)syscall(SYS_close, file);
    text[length < 0 ? 0 : length] = '\0';
    const char *second = strchr(text, ' ');
    return second == NULL ? 0 : strtoll(second, NULL, 10);
}

/* Of all threads of a process, whose /proc/PID/task that is. */
static int64_t run_delay_ns(const char *path)
{
    struct entry { /* getdents64(2) */
        uint64_t inode;
        int64_t offset;
        unsigned short length;
        unsigned char type;
        char name[];
    };
    _Alignas(struct entry) char entries[4096];
    int64_t total_ns = 0;
    long task = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (task < 0)
        return 0;
    for (long length; (length = syscall(SYS_getdents64, task, entries, sizeof entries)) > 0;) {
        const struct entry *e;
        for (long at = 0; at < length; at += e->length) {
            e = (const void *)(entries + at);
            if (e->name[0] != '.')
                total_ns += read_delay_ns((int)task, e->name);
        }
    }
    (void)syscall(SYS_close, task);
    return total_ns;
}

int64_t xt_run_delay_ns(void)
{
    return run_delay_ns("/proc/self/task");
}

size_t xt_rss_bytes(void)
{
    unsigned long total = 0;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    int fields = fscanf(file, "%lu %lu", &total, &resident);
    fclose(file);
    return fields == 2 ? resident * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* What the process, and the child that it waits for, have had of the machine. */
struct share {
    int64_t now_ns;
    int64_t had_ns;    /* CPU time */
    int64_t lacked_ns; /* in which threads were ready to run and had no CPU */
};

static int64_t cpu_of_ns(pid_t process)
{
    clockid_t clock;
    struct timespec had = {0};
    if (clock_getcpuclockid(process, &clock) == 0)
        (void)clock_gettime(clock, &had);
    return (int64_t)had.tv_sec * NS_PER_S + had.tv_nsec;
}

static struct share share_now(pid_t child)
{
    struct share share = {xt_now_ns(), xt_cpu_ns(), xt_run_delay_ns()};
    if (child != 0) {
        char path[64];
        (void)snprintf(path, sizeof path, "/proc/%d/task", (int)child);
        share.had_ns += cpu_of_ns(child);
        share.lacked_ns += run_delay_ns(path);
    }
    return share;
}

/* How long the same would have taken on a machine that is busy with nothing else. */
static int64_t alone_ns(const struct share *before, const struct share *after)
{
    int64_t passed_ns = after->now_ns - before->now_ns;
    int64_t had_ns = after->had_ns - before->had_ns;
    int64_t lacked_ns = after->lacked_ns - before->lacked_ns;
    if (had_ns <= 0 || lacked_ns <= 0)
        return passed_ns; /* threads, or the child, have come or gone */
    int64_t wanted_ns = had_ns + lacked_ns;
    int64_t there_ns = passed_ns * sysconf(_SC_NPROCESSORS_ONLN);
    if (wanted_ns > there_ns)
        wanted_ns = there_ns; /* its threads are more than the processors */
    int64_t by_share_ns = had_ns >= wanted_ns
                              ? passed_ns
                              : (int64_t)((double)passed_ns * (double)had_ns / (double)wanted_ns);
    return passed_ns - lacked_ns > by_share_ns ? passed_ns - lacked_ns : by_share_ns;
}

static struct {
    const char *what;
    int64_t left_ns; /* 0: nothing is watched */
    pid_t child;     /* what runs is a child; 0: this process */
    bool is_watching;
} watch = {.what = "a child"};

static int64_t stretched_ns(unsigned seconds)
{
    int64_t stretch = XT_TSAN || XT_ASAN || xt_is_emulated() ? SANITIZER_STRETCH : 1;
    if (stretch < XT_SLOWDOWN)
        stretch = XT_SLOWDOWN;
    return (int64_t)seconds * stretch * NS_PER_S;
}

/* What runs now has `passed_ns` less. Returns whether it has nothing left. */
static bool is_over(int64_t passed_ns)
{
    int64_t left_ns = __atomic_load_n(&watch.left_ns, __ATOMIC_ACQUIRE);
    while (left_ns > passed_ns) {
        if (__atomic_compare_exchange_n(&watch.left_ns, &left_ns, left_ns - passed_ns, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return false;
    }
    return left_ns != 0;
}

static void *watchdog(void *unused)
{
    (void)unused;
    pid_t child = 0;
    struct share before = share_now(0);
    __atomic_store_n(&watch.is_watching, true, __ATOMIC_RELEASE);
    for (;;) {
        xt_sleep_ns(NS_PER_S);
        struct share now = share_now(child);
        if (is_over(alone_ns(&before, &now))) {
            fprintf(stderr, "watchdog: %s takes too long\n",
                    __atomic_load_n(&watch.what, __ATOMIC_RELAXED));
            child = __atomic_exchange_n(&watch.child, 0, __ATOMIC_RELAXED);
            if (child == 0 || kill(child, SIGKILL) != 0)
                abort();
            __atomic_store_n(&watch.left_ns, stretched_ns(CHILD_SECONDS), __ATOMIC_RELAXED);
        }
        child = __atomic_load_n(&watch.child, __ATOMIC_RELAXED);
        before = share_now(child);
    }
    return NULL;
}

static void start_watchdog(void)
{
    pthread_t thread;
    if (__atomic_load_n(&watch.is_watching, __ATOMIC_ACQUIRE) ||
        pthread_create(&thread, NULL, watchdog, NULL) != 0)
        return;
    (void)pthread_detach(thread);
    /* A thread that is starting holds locks of the sanitizer's: a child forked now would wait for them
     * for ever. From here on the watchdog takes none. */
    while (!__atomic_load_n(&watch.is_watching, __ATOMIC_ACQUIRE))
        xt_sleep_ns(NS_PER_S / 1000);
}

void xt_watch(const char *what, unsigned seconds)
{
    __atomic_store_n(&watch.what, what, __ATOMIC_RELAXED);
    __atomic_store_n(&watch.left_ns, stretched_ns(seconds), __ATOMIC_RELEASE);
    start_watchdog();
}

/* --- randomness --- */

uint64_t xt_seed(void)
{
    static uint64_t seed;
    if (seed == 0) {
        const char *text = getenv("FILCH_TEST_SEED");
        seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)xt_now_ns();
        seed |= 1;
        printf("FILCH_TEST_SEED=%" PRIu64 "\n", seed);
        (void)fflush(stdout);
    }
    return seed;
}

/* SplitMix64 (Steele, Lea & Flood 2014). */
uint64_t xt_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* --- threads --- */

struct start {
    void *(*body)(void *);
    void *argument;
    pthread_barrier_t *barrier;
};

static void *started(void *argument)
{
    struct start *start = argument;
    (void)pthread_barrier_wait(start->barrier);
    return start->body(start->argument);
}

void xt_run_threads(size_t count, void *(*body)(void *), void *argument, size_t step_bytes)
{
    pthread_barrier_t barrier;
    pthread_t *threads = calloc(count, sizeof *threads);
    struct start *starts = calloc(count, sizeof *starts);
    if (threads == NULL || starts == NULL || pthread_barrier_init(&barrier, NULL, (unsigned)count))
        abort();
    for (size_t i = 0; i < count; i++) {
        void *own = step_bytes == 0 ? argument : (char *)argument + i * step_bytes;
        starts[i] = (struct start){body, own, &barrier};
        if (pthread_create(&threads[i], NULL, started, &starts[i]) != 0)
            abort();
    }
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&barrier);
    free(starts);
    free(threads);
}

void xt_use_one_cpu(bool one)
{
    static cpu_set_t all;
    static bool is_known;
    if (!is_known)
        (void)sched_getaffinity(0, sizeof all, &all);
    is_known = true;
    cpu_set_t mask = all;
    if (one) {
        CPU_ZERO(&mask);
        for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&mask) == 0; cpu++) {
            if (CPU_ISSET(cpu, &all))
                CPU_SET(cpu, &mask);
        }
    }
    xt_expect_equal(sched_setaffinity(0, sizeof mask, &mask), 0);
}

static uint64_t signals;

static void count_signal(int number)
{
    (void)number;
    __atomic_fetch_add(&signals, 1, __ATOMIC_RELAXED);
}

uint64_t xt_storm(bool rages)
{
    struct sigaction action = {.sa_handler = count_signal};
    struct itimerval often = {{0, 200}, {0, 200}};
    struct itimerval never = {{0, 0}, {0, 0}};
    if (!XT_STORMS)
        return 0;
    if (rages)
        xt_expect_equal(sigaction(SIGALRM, &action, NULL), 0);
    xt_expect_equal(setitimer(ITIMER_REAL, rages ? &often : &never, NULL), 0);
    return __atomic_load_n(&signals, __ATOMIC_RELAXED);
}

/* --- faults --- */

static struct {
    uint64_t armed; /* 0: nothing fails; else the number of the call that does */
    uint64_t calls;
    uint64_t failed;
    unsigned kinds;
    enum xt_fault_mode mode;
    int64_t live_blocks;
    int64_t live_maps;
} faults;

static bool fails(unsigned kind)
{
    uint64_t k = __atomic_load_n(&faults.armed, __ATOMIC_ACQUIRE);
    if (k == 0 || (kind & faults.kinds) == 0)
        return false;
    uint64_t call = __atomic_add_fetch(&faults.calls, 1, __ATOMIC_RELAXED);
    if (call != k && (call < k || faults.mode == XT_FAULT_ONCE))
        return false;
    __atomic_fetch_add(&faults.failed, 1, __ATOMIC_RELAXED);
    return true;
}

static void *fault_alloc(size_t size_bytes, size_t align_bytes)
{
    void *memory = fails(XT_ALLOC) ? NULL : filch__os_linux.alloc(size_bytes, align_bytes);
    if (memory != NULL) {
        /* The library may not rely on fresh memory being 0. */
        memset(memory, 0xa5, size_bytes);
        __atomic_fetch_add(&faults.live_blocks, 1, __ATOMIC_RELAXED);
    }
    return memory;
}

static void fault_free(void *memory)
{
    if (memory != NULL)
        __atomic_fetch_sub(&faults.live_blocks, 1, __ATOMIC_RELAXED);
    filch__os_linux.free(memory);
}

static void *fault_map(size_t size_bytes)
{
    void *pages = fails(XT_MAP) ? NULL : filch__os_linux.map(size_bytes);
    if (pages != NULL)
        __atomic_fetch_add(&faults.live_maps, (int64_t)size_bytes, __ATOMIC_RELAXED);
    return pages;
}

/* Parts of a mapping may be given back one by one, so bytes are counted. */
static int fault_unmap(void *pages, size_t size_bytes)
{
    __atomic_fetch_sub(&faults.live_maps, (int64_t)size_bytes, __ATOMIC_RELAXED);
    return filch__os_linux.unmap(pages, size_bytes);
}

static int fault_advise(void *pages, size_t size_bytes, int advice)
{
    return fails(XT_ADVISE) ? ENOMEM : filch__os_linux.advise(pages, size_bytes, advice);
}

static int fault_protect(void *pages, size_t size_bytes, int protection)
{
    return fails(XT_PROTECT) ? ENOMEM : filch__os_linux.protect(pages, size_bytes, protection);
}

static int fault_thread_create(pthread_t *thread, const pthread_attr_t *attributes,
                               void *(*entry)(void *), void *argument)
{
    return fails(XT_THREAD) ? EAGAIN
                            : filch__os_linux.thread_create(thread, attributes, entry, argument);
}

void xt_faults_install(void)
{
    static struct os_table table;
    table = filch__os_linux;
    table.alloc = fault_alloc;
    table.free = fault_free;
    table.map = fault_map;
    table.unmap = fault_unmap;
    table.advise = fault_advise;
    table.protect = fault_protect;
    table.thread_create = fault_thread_create;
    __atomic_store_n(&faults.armed, 0, __ATOMIC_RELEASE);
    faults.live_blocks = 0;
    faults.live_maps = 0;
    filch__os_replace(&table);
}

void xt_faults_remove(void)
{
    filch__os_replace(NULL);
}

void xt_faults_arm(unsigned kinds, uint64_t k, enum xt_fault_mode mode)
{
    faults.kinds = kinds;
    faults.mode = mode;
    __atomic_store_n(&faults.calls, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&faults.failed, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&faults.armed, k, __ATOMIC_RELEASE);
}

uint64_t xt_faults_disarm(void)
{
    __atomic_store_n(&faults.armed, 0, __ATOMIC_RELEASE);
    return __atomic_load_n(&faults.failed, __ATOMIC_RELAXED);
}

int64_t xt_faults_live_blocks(void)
{
    return __atomic_load_n(&faults.live_blocks, __ATOMIC_RELAXED);
}

int64_t xt_faults_live_maps(void)
{
    return __atomic_load_n(&faults.live_maps, __ATOMIC_RELAXED);
}

/* --- children --- */

static void be_child(int output, void (*body)(void *), void *argument)
{
    struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)dup2(output, STDOUT_FILENO);
    (void)dup2(output, STDERR_FILENO);
    /* CMocka's handlers would turn a fault into a failed test of the child's own. */
    (void)signal(SIGSEGV, SIG_DFL);
    (void)signal(SIGBUS, SIG_DFL);
    (void)signal(SIGABRT, SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)xt_take_failures();
    body(argument);
    (void)fflush(NULL);
    _exit(xt_take_failures() == 0 ? 0 : 1);
}

void xt_run_child(struct xt_child *child, void (*body)(void *), void *argument)
{
    int ends[2];
    (void)fflush(NULL);
    memset(child, 0, sizeof *child);
    if (pipe(ends) != 0)
        abort();
    start_watchdog();
    pid_t process = fork();
    if (process == 0) {
        (void)close(ends[0]);
        be_child(ends[1], body, argument);
    }
    (void)close(ends[1]);
    int64_t left_ns =
        __atomic_exchange_n(&watch.left_ns, stretched_ns(CHILD_SECONDS), __ATOMIC_ACQ_REL);
    __atomic_store_n(&watch.child, process, __ATOMIC_RELAXED);
    size_t length = 0;
    for (;;) {
        char rest[512];
        size_t room = sizeof child->output - 1 - length;
        ssize_t got =
            read(ends[0], room > 0 ? child->output + length : rest, room > 0 ? room : sizeof rest);
        if (got <= 0 && !(got == -1 && errno == EINTR))
            break;
        if (got > 0 && room > 0)
            length += (size_t)got;
    }
    (void)close(ends[0]);
    while (waitpid(process, &child->status, 0) == -1 && errno == EINTR)
        ;
    __atomic_store_n(&watch.child, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&watch.left_ns, left_ns, __ATOMIC_RELEASE);
}

void xt_expect_child(void (*body)(void *), void *argument, const char *what)
{
    struct xt_child child;
    xt_run_child(&child, body, argument);
    if (child.status == 0)
        return;
    fprintf(stderr, "%s: the child ended with status %#x and said:\n%s\n", what,
            (unsigned)child.status, child.output);
    xt_expect_equal(child.status, 0);
}

/* A sanitizer's own handler reports a signal and exits. */
static bool ended_by(const struct xt_child *child, int signal)
{
    return (WIFSIGNALED(child->status) && WTERMSIG(child->status) == signal) ||
           ((XT_ASAN || XT_TSAN) && WIFEXITED(child->status) && WEXITSTATUS(child->status) > 1);
}

bool xt_child_aborted(const struct xt_child *child, const char *text)
{
    return (ended_by(child, SIGABRT) || (XT_ASAN && WIFEXITED(child->status))) &&
           strstr(child->output, text) != NULL;
}

bool xt_child_faulted(const struct xt_child *child)
{
    return ended_by(child, SIGSEGV) ||
           ((XT_ASAN || XT_TSAN) && strstr(child->output, "Sanitizer") != NULL);
}
