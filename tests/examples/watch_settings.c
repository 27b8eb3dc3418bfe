/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that change while workers use them: a watch. Each worker looks at what is newest before each
 * piece of work, waits for nobody, and copies nothing; one that has nothing to do waits for a change. */
#include <filch/filch.h>
#include <stdio.h>

struct settings {
    int version;
    int factor; /* always twice the version: nobody sees a half of a change */
};

enum { WORKERS = 3, VERSIONS = 100 };

/* Follows the changes until there will be no more. Returns the last version; 0: it saw a wrong one. */
static void *follow(void *argument)
{
    struct filch_watch_receiver *rx = argument;
    int seen = 0;
    while (filch_watch_changed(rx) == 0) {
        const struct settings *now = filch_watch_borrow(rx); /* stays as it is meanwhile */
        /* It may be newer than the change that was waited for; then the next wait ends at once, and this one
         * is seen again. */
        int is_whole = now->factor == 2 * now->version && now->version >= seen;
        seen = now->version;
        filch_watch_give_back(rx, now);
        if (!is_whole)
            break;
    }
    filch_watch_receiver_drop(rx);
    return seen == VERSIONS ? argument : NULL;
}

static int next_version(void *value, void *unused)
{
    struct settings *settings = value;
    (void)unused;
    settings->version++;
    settings->factor = 2 * settings->version;
    return 1;
}

int main(void)
{
    struct filch_watch_sender *tx;
    struct filch_watch_receiver *rx;
    struct filch_thread *workers[WORKERS];
    int failures = 0;
    if (filch_watch_create(&tx, &rx, sizeof(struct settings), &(struct settings){0, 0}) != 0)
        return 2;
    for (int i = 0; i < WORKERS; i++) {
        struct filch_watch_receiver *own;
        if (filch_watch_receiver_clone(rx, &own) != 0 ||
            filch_thread_spawn(&workers[i], NULL, follow, own) != 0)
            return 2;
    }
    filch_watch_receiver_drop(rx); /* the workers have theirs */
    for (int i = 0; i < VERSIONS; i++) {
        if (filch_watch_modify(tx, next_version, NULL) != 0)
            return 2;
    }
    filch_watch_sender_drop(tx); /* no more changes; each still sees the last one */
    for (int i = 0; i < WORKERS; i++) {
        void *result;
        if (filch_thread_join(workers[i], &result, NULL) != 0)
            return 2;
        failures += result == NULL;
    }
    printf("%d of %d workers have missed the last settings\n", failures, WORKERS);
    return failures == 0 ? 0 : 1;
}
