/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines: absolute nanoseconds on CLOCK_MONOTONIC, as a signed 64-bit number.
 *
 *     int64_t deadline = filch_deadline_in(5 * FILCH_MS);
 *     if (filch_task_join_until(task, deadline) == ETIMEDOUT)
 *         ...
 *
 * Absolute, so that a retry after a spurious wake-up does not prolong the wait. All functions may
 * be called from threads, tasks and signal handlers.
 */
#ifndef FILCH_TIME_H
#define FILCH_TIME_H

#include <filch/attr.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

/* No deadline: wait for as long as it takes. */
#define FILCH_FOREVER INT64_MAX

#define FILCH_US INT64_C(1000)
#define FILCH_MS INT64_C(1000000)
#define FILCH_S INT64_C(1000000000)

/* The present time on CLOCK_MONOTONIC.
 * Returns nanoseconds since an arbitrary point. Blocks: never. Panics: never.
 * Callable from: anywhere. */
FILCH_API int64_t filch_now_ns(void);

/* The deadline that lies `timeout_ns` nanoseconds from now.
 *   timeout_ns  a negative value counts as 0
 * Returns the deadline; FILCH_FOREVER where the sum would overflow. Blocks: never. Panics: never.
 * Callable from: anywhere. */
FILCH_API int64_t filch_deadline_in(int64_t timeout_ns);

FILCH_EXTERN_C_END

#endif
