/* SPDX-License-Identifier: Apache-2.0 */
#include <filch/scope.h>

/* The body is in filch/inline/fork.h. */
void(filch_join)(void (*a)(void *), void *x, void (*b)(void *), void *y)
{
    filch__join(a, x, b, y);
}
