/* SPDX-License-Identifier: Apache-2.0 */
#include "os/os.h"

#include <filch/time.h>

int64_t filch_now_ns(void)
{
    return filch__os->now_ns();
}

int64_t filch_deadline_in(int64_t timeout_ns)
{
    int64_t deadline;
    if (timeout_ns < 0)
        timeout_ns = 0;
    if (__builtin_add_overflow(filch_now_ns(), timeout_ns, &deadline))
        return FILCH_FOREVER;
    return deadline;
}
