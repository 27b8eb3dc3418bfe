/* SPDX-License-Identifier: Apache-2.0 */
/* The handles that have been neither joined nor detached. */
#include "base/check.h"
#include "thread/thread.h"

#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

/* Consecutive numbers spread evenly over the lists, so that they stay short with thousands of
 * threads. */
enum { LISTS = 512 };

static struct {
    struct lock lock;
    struct filch_thread *lists[LISTS]; /* under lock */
} table;

static struct filch_thread **list_of(uint64_t id)
{
    return &table.lists[id % LISTS];
}

static uint64_t id_of(const struct filch_thread *handle)
{
    return (uintptr_t)handle >> 1;
}

/* The link that points to the handle's thread, or the one at the end of the list. Under the lock. */
static struct filch_thread **find_link(const struct filch_thread *handle)
{
    struct filch_thread **link = list_of(id_of(handle));
    while (*link != NULL && (*link)->id != id_of(handle))
        link = &(*link)->next;
    return link;
}

struct filch_thread *filch__handle_put(struct filch_thread *thread)
{
    filch__lock(&table.lock);
    struct filch_thread **list = list_of(thread->id);
    thread->next = *list;
    *list = thread;
    filch__unlock(&table.lock);
    return (struct filch_thread *)((uintptr_t)thread->id << 1 | 1);
}

struct filch_thread *filch__handle_find(const struct filch_thread *handle)
{
    filch__lock(&table.lock);
    struct filch_thread *found = *find_link(handle);
    filch__unlock(&table.lock);
    return found;
}

struct filch_thread *filch__handle_use(const struct filch_thread *handle)
{
    struct filch_thread *found = filch__handle_find(handle);
    FILCH_CHECK(found != NULL, "the handle of a thread was used after it was joined or detached");
    return found;
}

struct filch_thread *filch__handle_claim(const struct filch_thread *handle)
{
    filch__lock(&table.lock);
    struct filch_thread *found = *find_link(handle);
    if (found != NULL && found->is_claimed)
        found = NULL;
    if (found != NULL)
        found->is_claimed = true;
    filch__unlock(&table.lock);
    return found;
}

void filch__handle_unclaim(struct filch_thread *thread)
{
    filch__lock(&table.lock);
    thread->is_claimed = false;
    filch__unlock(&table.lock);
}

void filch__handle_remove(struct filch_thread *thread)
{
    filch__lock(&table.lock);
    struct filch_thread **link = list_of(thread->id);
    while (*link != thread)
        link = &(*link)->next;
    *link = thread->next;
    filch__unlock(&table.lock);
}

void filch__handles_before_fork(void)
{
    filch__lock(&table.lock);
}

void filch__handles_after_fork(void)
{
    filch__unlock(&table.lock);
}

#if FILCH_DEBUG
/* At exit, names the handles that somebody has forgotten. */
__attribute__((destructor)) static void report_leaks(void)
{
    filch__lock(&table.lock);
    for (size_t i = 0; i < LISTS; i++) {
        for (const struct filch_thread *t = table.lists[i]; t != NULL; t = t->next) {
            if (t->is_internal || t->process != filch__thread_process())
                continue;
            char line[160];
            int length = snprintf(line, sizeof line,
                                  "filch: thread %llu ('%.80s') was neither joined nor detached\n",
                                  (unsigned long long)t->id, t->name);
            ssize_t written = write(STDERR_FILENO, line, (size_t)length);
            (void)written; /* nothing is left to do where it fails */
        }
    }
    filch__unlock(&table.lock);
}
#endif
