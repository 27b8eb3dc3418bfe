/* SPDX-License-Identifier: Apache-2.0 */
/* Events for everybody who listens: a broadcast. A listener that is too slow does not hold up the others;
 * it is told how many events it has missed. */
#include <filch/filch.h>
#include <stdio.h>

enum { LISTENERS = 3, EVENTS = 10000, KEPT = 64 };

struct listener {
    struct filch_broadcast_receiver *rx;
    uint64_t heard, missed;
};

static void listen(void *argument)
{
    struct listener *listener = argument;
    uint64_t event, missed;
    int error;
    while ((error = filch_broadcast_recv(listener->rx, &event, &missed)) != EPIPE) {
        if (error == 0)
            listener->heard++;
        else if (error == EOVERFLOW)
            listener->missed += missed;
        else
            break;
    }
    filch_broadcast_receiver_drop(listener->rx);
}

int main(void)
{
    struct filch_broadcast_sender *tx;
    struct listener listeners[LISTENERS] = {{NULL, 0, 0}};
    struct filch_task *tasks[LISTENERS];
    int failures = 0;
    if (filch_broadcast_create(&tx, &listeners[0].rx, sizeof(uint64_t), KEPT) != 0)
        return 2;
    for (int i = 0; i < LISTENERS; i++) {
        if (i > 0 && filch_broadcast_subscribe(tx, &listeners[i].rx) != 0)
            return 2;
    }
    for (int i = 0; i < LISTENERS; i++) {
        if (filch_pool_spawn(NULL, &tasks[i], NULL, listen, &listeners[i]) != 0)
            return 2;
    }
    for (uint64_t event = 0; event < EVENTS; event++) {
        if (filch_broadcast_send(tx, &event) != 0)
            return 2;
    }
    filch_broadcast_sender_drop(tx); /* listeners end when they have heard what is kept */
    for (int i = 0; i < LISTENERS; i++) {
        if (filch_task_join(tasks[i]) != 0)
            return 2;
        printf("heard %llu, missed %llu\n", (unsigned long long)listeners[i].heard,
               (unsigned long long)listeners[i].missed);
        failures += listeners[i].heard + listeners[i].missed != EVENTS || listeners[i].heard < KEPT;
    }
    return failures == 0 ? 0 : 1;
}
