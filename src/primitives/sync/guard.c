/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <errno.h>
#include <filch/guard.h>

void filch__guard_misuse(int error)
{
    FILCH_CHECK(error != EDEADLK, "a guard: the caller holds the lock already");
    FILCH_CHECK(error != EINVAL, "a guard: the lock is NULL");
    filch__abort("a guard: the lock cannot be had", __FILE__, __LINE__);
}
