/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that own something: boxes, each with a number. They are counted, and asan sees one that is dropped
 * twice or never. */
#ifndef FILCH_TESTS_SUPPORT_BOXES_H
#define FILCH_TESTS_SUPPORT_BOXES_H

#include <stdint.h>
#include <stdlib.h>

static int64_t boxes; /* that there are */

static uint64_t *box_new(uint64_t content)
{
    uint64_t *box = malloc(sizeof *box);
    if (box == NULL)
        abort();
    *box = content;
    __atomic_fetch_add(&boxes, 1, __ATOMIC_RELAXED);
    return box;
}

static void box_clone(void *to, const void *from)
{
    *(uint64_t **)to = box_new(**(uint64_t *const *)from);
}

static void box_drop(void *message)
{
    free(*(uint64_t **)message);
    __atomic_fetch_sub(&boxes, 1, __ATOMIC_RELAXED);
}

#endif
