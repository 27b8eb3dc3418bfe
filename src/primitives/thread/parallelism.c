/* SPDX-License-Identifier: Apache-2.0 */
#include "os/cgroup.h"
#include "os/cpu_set.h"
#include "thread/thread.h"

#include <unistd.h>

size_t filch_available_parallelism(void)
{
    /* A worker of a pool is bound to its core by us, and says nothing of what the process may use. */
    bool is_worker = filch__thread_self != NULL && filch__thread_self->is_internal;
    size_t count = 1;
    struct cpu_set mask;
    if (filch__cpu_set_read(&mask, is_worker ? getpid() : 0) == 0) {
        count = filch__cpu_set_count(&mask);
        filch__cpu_set_fini(&mask);
    }
    uint64_t milli_cpus;
    if (filch__cgroup_quota(NULL, &milli_cpus) == 0 && milli_cpus / 1000 < count)
        count = (size_t)(milli_cpus / 1000);
    return count > 0 ? count : 1;
}
