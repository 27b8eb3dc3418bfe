/* SPDX-License-Identifier: Apache-2.0 */
/* What all test programs share; it needs no test framework, so threads and children may use it.
 *
 *     expectations  xt_expect() records a failure from any thread; the main thread reports it when
 *                   the test ends. An assertion of CMocka on another thread would end the program
 *                   with nothing printed.
 *     watchdog      ends the program with a message when a test takes too long
 *     faults        an os_table whose k-th call fails, and that counts what is not given back
 *     children      run a function in a forked process, and see how it ended and what it said
 *     randomness    seeded, and the seed is printed: FILCH_TEST_SEED=N repeats a run
 */
#ifndef FILCH_SUPPORT_SUPPORT_H
#define FILCH_SUPPORT_SUPPORT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __has_feature
#define XT_HAS_FEATURE(name) __has_feature(name)
#else
#define XT_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || XT_HAS_FEATURE(address_sanitizer)
#define XT_ASAN 1
#else
#define XT_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || XT_HAS_FEATURE(thread_sanitizer)
#define XT_TSAN 1
#else
#define XT_TSAN 0
#endif
/* Whether signals may come in numbers: ThreadSanitizer of clang waits for itself where one comes while it
 * frees the memory of a thread (google/sanitizers#1540). */
#if XT_TSAN && defined(__clang__)
#define XT_STORMS 0
#else
#define XT_STORMS 1
#endif

/* --- expectations --- */

void xt__expect(bool holds, const char *text, const char *file, int line);
void xt__expect_equal(intmax_t actual, intmax_t expected, const char *text, const char *file,
                      int line);

/* Records a failure where the condition does not hold; the test goes on. Any thread. */
#define xt_expect(condition) xt__expect((condition), #condition, __FILE__, __LINE__)
#define xt_expect_equal(actual, expected)                                                          \
    xt__expect_equal((intmax_t)(actual), (intmax_t)(expected), #actual " == " #expected, __FILE__, \
                     __LINE__)

/* How many have failed since the last call. */
unsigned xt_take_failures(void);

/* --- time --- */

/* The watchdog gives what runs now this many more seconds, stretched where tests take longer: seconds of a
 * machine that does nothing else, so that none of them is over sooner where others keep it busy. */
void xt_watch(const char *what, unsigned seconds);

int64_t xt_now_ns(void);
void xt_sleep_ns(int64_t duration_ns);

/* CPU time of the whole process. */
int64_t xt_cpu_ns(void);

/* `count`, or a fraction of it where each operation costs far more than it does for users: under
 * sanitizers and emulation. At least 1. */
size_t xt_scaled(size_t count);

/* Whether another machine is being emulated, so that times and kernel features are not real. */
bool xt_is_emulated(void);

/* Whether tasks may migrate where this is built: see may_migrate in filch/task.h. */
bool xt_has_migration(void);

/* How long stress tests run: FILCH_STRESS_SECONDS, by default `seconds`. */
int64_t xt_stress_ns(double seconds);

/* How much stress tests do that count what they do: FILCH_STRESS_COUNT, by default `count`. */
uint64_t xt_stress_count(uint64_t count);

/* How long the process's threads have been ready to run without a CPU, in all; 0 where the kernel does
 * not say. */
int64_t xt_run_delay_ns(void);

/* Resident memory of the process now. */
size_t xt_rss_bytes(void);

/* --- randomness --- */

/* The seed of this run; printed at the first call. */
uint64_t xt_seed(void);

/* The next number of a sequence; *state is any number. */
uint64_t xt_random(uint64_t *state);

/* --- threads --- */

/* Runs body(argument + i * step_bytes) for i = 0 ... count - 1 on as many threads, all let go at the
 * same time, and joins them. */
void xt_run_threads(size_t count, void *(*body)(void *), void *argument, size_t step_bytes);

/* Restricts the calling thread to one CPU of those it may use, or gives it all of them back. */
void xt_use_one_cpu(bool one);

/* From now on a signal each 200 us, for whichever thread the kernel chooses, which interrupts system calls
 * and does not restart them; or no more. Returns how many there have been: none without XT_STORMS. */
uint64_t xt_storm(bool rages);

/* --- faults --- */

enum {
    XT_ALLOC = 1,
    XT_MAP = 2,
    XT_ADVISE = 4,
    XT_PROTECT = 8,
    XT_THREAD = 16,
    XT_ALL_FAULTS = 31,
};

enum xt_fault_mode {
    XT_FAULT_ONCE,   /* the k-th call only */
    XT_FAULT_ONWARD, /* the k-th and all after it */
};

/* Puts the table with faults in place of the real one, or takes it away; no other thread is in the
 * library. It fails nothing until it is armed. */
void xt_faults_install(void);
void xt_faults_remove(void);

/* From now on, the k-th call (from 1) of the given kinds fails. Any time while it is installed. */
void xt_faults_arm(unsigned kinds, uint64_t k, enum xt_fault_mode mode);

/* Nothing fails any more. Returns how many calls have failed since xt_faults_arm. */
uint64_t xt_faults_disarm(void);

/* Blocks and mappings that have not been given back since the installation. */
int64_t xt_faults_live_blocks(void);
int64_t xt_faults_live_maps(void);

/* --- children --- */

struct xt_child {
    int status;        /* of waitpid(2) */
    char output[4096]; /* the beginning of what it wrote to stdout and stderr */
};

/* Forks, runs body(argument) there and waits. The child exits with 1 where expectations have failed,
 * else with 0; the watchdog kills it after some seconds, and it leaves no core file. */
void xt_run_child(struct xt_child *child, void (*body)(void *), void *argument);

/* The same, and the parent expects an exit with 0. */
void xt_expect_child(void (*body)(void *), void *argument, const char *what);

/* Whether the child was ended by abort() and its output contains `text`; or by a fault of memory. */
bool xt_child_aborted(const struct xt_child *child, const char *text);
bool xt_child_faulted(const struct xt_child *child);

#endif
