/* SPDX-License-Identifier: Apache-2.0 */
#include "chan/channel.h"

#include "os/os.h"

#include <filch/select.h>

bool filch__timed_has_come(struct timed *t)
{
    int64_t due_ns = filch__timed_due(t);
    return due_ns != FILCH_FOREVER && filch__os->now_ns() >= due_ns;
}

int filch__timed_recv(struct timed *t, int64_t *moment_ns)
{
    int64_t due_ns = filch__timed_due(t);
    while (due_ns != FILCH_FOREVER) {
        int64_t now_ns = filch__os->now_ns();
        if (now_ns < due_ns)
            break;
        int64_t next_ns = FILCH_FOREVER;
        if (t->period_ns != 0 && now_ns < FILCH_FOREVER - t->period_ns)
            next_ns = now_ns + t->period_ns;
        if (FILCH_CAS(&t->due_ns, &due_ns, next_ns, CT_due, acq_rel)) {
            *moment_ns = due_ns;
            return 0;
        }
    }
    return EAGAIN;
}

static int timed_new(struct filch_receiver **rx, int64_t due_ns, int64_t period_ns)
{
    struct channel *c;
    if (rx == NULL)
        return EINVAL;
    struct filch_channel_config config = {.element_size = sizeof due_ns};
    int error = filch__channel_new(&c, &config);
    if (error != 0)
        return error;
    c->flavour = TIMED;
    c->timed = (struct timed){.due_ns = due_ns, .period_ns = period_ns};
    c->handles[SENDERS] = 0; /* nobody sends, and nobody else knows it yet */
    c->sides = 1;
    *rx = filch__channel_receiver(c);
    return 0;
}

int filch_after(struct filch_receiver **rx, int64_t timeout_ns)
{
    return timed_new(rx, filch_deadline_in(timeout_ns), 0);
}

int filch_at(struct filch_receiver **rx, int64_t moment)
{
    return timed_new(rx, moment, 0);
}

int filch_tick(struct filch_receiver **rx, int64_t period_ns)
{
    if (period_ns <= 0)
        return EINVAL;
    return timed_new(rx, filch_deadline_in(period_ns), period_ns);
}

int filch_never(struct filch_receiver **rx)
{
    return timed_new(rx, FILCH_FOREVER, 0);
}
