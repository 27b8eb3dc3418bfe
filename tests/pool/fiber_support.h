/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of contexts, stacks and fibers share: parts that are expected to die run in a
 * child process, and counts shrink where a tool makes everything slower. */
#ifndef FILCH_TESTS_POOL_FIBER_SUPPORT_H
#define FILCH_TESTS_POOL_FIBER_SUPPORT_H

#include "fiber/annotate.h"
#include "support.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __has_include
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

#define UNDER_SANITIZER (FILCH_ASAN || FILCH_TSAN)

/* `count`, or a hundredth of it where each operation costs far more than it does for users. */
static inline size_t scaled(size_t count)
{
    return UNDER_SANITIZER || RUNNING_ON_VALGRIND ? (count + 99) / 100 : count;
}

/* Runs function(argument) in a child process, silently; returns what waitpid(2) says of it. */
static inline int status_of_child(void (*function)(void *), void *argument)
{
    struct xt_child child;
    xt_run_child(&child, function, argument);
    return child.status;
}

/* Whether the child died of an access to memory that is not there. A sanitizer's own handler, reset
 * above, may be back where one is built in; it reports and exits. */
static inline bool died_of_segv(int status)
{
    return (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) ||
           (UNDER_SANITIZER && WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

static inline bool died_of_abort(int status)
{
    return (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) ||
           (UNDER_SANITIZER && WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

#endif
