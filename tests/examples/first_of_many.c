/* SPDX-License-Identifier: Apache-2.0 */
/* The first answer of many: a task set. Several tasks look for the same thing; the first that finds it
 * is taken, and what has not begun is cancelled. When the function returns, none of its tasks runs. */
#include <filch/filch.h>
#include <stdio.h>
#include <stdlib.h>

enum { PARTS = 64, PART_SIZE = 1000, NEEDLE = 12345 };

/* Looks in one part. Returns where the needle is; NULL: not there. */
static void *look(void *part)
{
    const int *numbers = part;
    for (int i = 0; i < PART_SIZE; i++) {
        if (numbers[i] == NEEDLE)
            return (void *)(uintptr_t)&numbers[i];
    }
    return NULL;
}

/* Returns where the needle is; NULL: nowhere, or something has gone wrong. */
static const int *find(int *numbers, size_t *unfinished)
{
    const int *found = NULL;
    FILCH_TASK_SET_GUARD(set); /* dropped, and all its tasks ended, wherever this block is left */
    if (filch_task_set_create(&set, NULL) != 0)
        return NULL;
    for (int i = 0; i < PARTS; i++) {
        if (filch_task_set_spawn(set, NULL, look, numbers + (ptrdiff_t)i * PART_SIZE) != 0)
            return NULL;
    }
    struct filch_task_end end;
    while (filch_task_set_next(set, &end) == 0) {
        if (end.error == EOWNERDEAD)
            filch_resume_unwind(end.panic);
        if (end.error == ECANCELED)
            ++*unfinished;
        if (end.error != 0 || end.result == NULL)
            continue;
        found = end.result;
        filch_task_set_cancel(set); /* the others need not begin */
    }
    return found;
}

int main(void)
{
    static int numbers[PARTS * PART_SIZE];
    size_t unfinished = 0;
    numbers[NEEDLE] = NEEDLE;
    const int *found = find(numbers, &unfinished);
    printf("found at %td, %zu parts were not looked at\n", found == NULL ? -1 : found - numbers,
           unfinished);
    return found == &numbers[NEEDLE] ? 0 : 1;
}
