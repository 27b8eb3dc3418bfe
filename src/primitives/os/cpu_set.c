/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1 /* sched_getaffinity */

#include "os/cpu_set.h"

#include <errno.h>
#include <sched.h>

/* Above the largest machine that Linux can be built for; ends the search for the mask's size. */
enum { CPU_LIMIT_START = 1024, CPU_LIMIT_MAX = 1024 * 1024 };

int filch__cpu_set_read(struct cpu_set *set, pid_t thread)
{
    int saved_errno = errno;
    int error = EINVAL;
    /* The kernel refuses a buffer that is smaller than its own sets, without saying how large those
     * are. */
    for (size_t limit = CPU_LIMIT_START; limit <= CPU_LIMIT_MAX && error == EINVAL; limit *= 2) {
        if (!filch__cpu_set_init(set, limit - 1))
            return ENOMEM;
        error = 0;
        if (sched_getaffinity(thread, set->word_count * sizeof *set->words,
                              (cpu_set_t *)(void *)set->words) != 0) {
            error = errno;
            filch__cpu_set_fini(set);
        }
    }
    errno = saved_errno;
    return error;
}
