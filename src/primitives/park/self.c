/* SPDX-License-Identifier: Apache-2.0 */
#include "park/self.h"

#include "park/waiter.h"

__thread uint64_t filch__self __attribute__((tls_model("initial-exec")));

uint64_t filch__self_get(void)
{
    static FILCH_SHARED(uint64_t) made;
    if (filch__self == 0) {
        uint64_t number = FILCH_FETCH_ADD_RELAXED(&made, 1) + 1; /* only unique */
        bool is_task = filch__waiter_kind.ops != &filch__waiter_thread_ops;
        filch__self = number << FILCH__SELF_SHIFT | (is_task ? FILCH__SELF_TASK : 0);
    }
    return filch__self;
}

void filch__self_set_panicking(bool is_panicking)
{
    uint64_t self = filch__self_get() & ~FILCH__SELF_PANICKING;
    filch__self = self | (is_panicking ? FILCH__SELF_PANICKING : 0);
}
