/* SPDX-License-Identifier: Apache-2.0 */
/* Shutting down without losing anything: a server takes requests until it is told to stop, then it lets
 * its workers finish what was accepted, and collects their results.
 *
 * The order is the point: stop accepting, drop the sender, join the workers, which end when the channel
 * is drained, and only then read the sum. */
#include <filch/filch.h>
#include <stdio.h>
#include <stdlib.h>

struct request {
    uint64_t number;
};
FILCH_CHANNEL_TYPE(requests, struct request);

enum { WORKERS = 3, CLIENTS = 4 };

struct server {
    struct requests_sender tx;
    struct requests_receiver rx;
    struct filch_receiver *stop; /* disconnected: stop */
    uint64_t accepted, served;   /* counted by many */
};

static void serve(void *argument)
{
    struct server *server = argument;
    struct request request;
    FILCH_RECV_EACH(server->rx.handle, &request)
    __atomic_fetch_add(&server->served, request.number, __ATOMIC_RELAXED);
    requests_receiver_drop(server->rx);
}

static void *send_until_stopped(void *argument)
{
    struct server *server = argument;
    for (uint64_t i = 1;; i++) {
        struct request request = {i};
        size_t index;
        struct filch_select_case cases[] = {
            {.rx = server->stop}, /* first: in order, it wins */
            {.tx = server->tx.handle, .value = &request},
        };
        if (filch_select_in_order(cases, 2, FILCH_FOREVER, &index) != 0)
            abort();
        if (index == 0 || cases[index].error != 0)
            break;
        __atomic_fetch_add(&server->accepted, i, __ATOMIC_RELAXED);
    }
    requests_sender_drop(server->tx);
    return NULL;
}

int main(void)
{
    static struct server server;
    struct filch_sender *stop;
    struct filch_task *workers[WORKERS];
    struct filch_thread *clients[CLIENTS];
    if (requests_create(&server.tx, &server.rx, 16) != 0 ||
        filch_channel_create(&stop, &server.stop, 0, 0) != 0)
        return 2;
    for (int i = 0; i < WORKERS; i++) {
        (void)filch_receiver_clone(server.rx.handle);
        if (filch_pool_spawn(NULL, &workers[i], NULL, serve, &server) != 0)
            return 2;
    }
    for (int i = 0; i < CLIENTS; i++) {
        (void)filch_sender_clone(server.tx.handle);
        if (filch_thread_spawn(&clients[i], NULL, send_until_stopped, &server) != 0)
            return 2;
    }
    requests_receiver_drop(server.rx); /* the workers have theirs */
    requests_sender_drop(server.tx);   /* the clients, too */

    struct filch_receiver *time_is_up;
    int64_t moment;
    if (filch_after(&time_is_up, 20 * FILCH_MS) != 0 || filch_recv(time_is_up, &moment) != 0)
        return 2;
    filch_sender_drop(stop); /* every client sees it */
    for (int i = 0; i < CLIENTS; i++) {
        if (filch_thread_join(clients[i], NULL, NULL) != 0)
            return 2;
    }
    for (int i = 0; i < WORKERS; i++) {
        if (filch_task_join(workers[i]) != 0)
            return 2;
    }
    filch_receiver_drop(time_is_up);
    filch_receiver_drop(server.stop);
    printf("accepted %llu, served %llu\n", (unsigned long long)server.accepted,
           (unsigned long long)server.served);
    return server.accepted != 0 && server.accepted == server.served ? 0 : 1;
}
