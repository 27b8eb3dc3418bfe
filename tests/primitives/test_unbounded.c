/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of an unbounded channel: when one may be used again. */
#include "test.h"

#include "chan/unbounded.h"

/* Messages of several words are copied when they have been claimed, packed ones before. */
enum { WORDS = 3, BYTES = WORDS * sizeof(uint64_t) };

/* A list of numbers, in order, each at the beginning of a message. */
struct numbers {
    struct list list;
    uint64_t sent, received;
    bool is_alone; /* the receiver may be */
};

static void begin(struct numbers *n, size_t size_bytes, bool is_alone)
{
    *n = (struct numbers){.is_alone = is_alone};
    assert_int_equal(filch__list_init(&n->list, size_bytes), 0);
    n->is_alone = is_alone && n->list.has_barrier;
    if (!is_alone)
        filch__alone_end(&n->list.head.alone);
}

static void send_some(struct numbers *n, size_t count)
{
    struct list *l = &n->list;
    while (count > 0) {
        uint64_t position;
        uint64_t message[WORDS] = {n->sent};
        size_t sent = filch__list_send(l, &l->places, false, message, 1, &position);
        if (sent == 0)
            assert_int_equal(filch__list_grow(l, position), 0);
        n->sent += sent;
        count -= sent;
    }
}

static void receive_some(struct numbers *n, size_t count)
{
    struct list *l = &n->list;
    while (count > 0) {
        uint64_t position, message[WORDS] = {UINT64_MAX};
        bool is_inside = filch__alone_enter(&l->head.alone);
        assert_int_equal(is_inside, n->is_alone);
        size_t received = filch__list_recv(l, &l->places, is_inside, message, 1, &position);
        if (is_inside)
            filch__alone_leave(&l->head.alone);
        if (received == 0)
            assert_true(filch__list_advance(l, position));
        else
            assert_int_equal(message[0], n->received++);
        count -= received;
    }
}

/* Blocks that are used up, but that some of the messages may still be copied from. */
static size_t count_waiting(const struct list *l)
{
    size_t count = 0;
    for (const struct block *block = l->waiting; block != NULL; block = block->waiting)
        count++;
    return count;
}

static void *look(void *list)
{
    xt_expect(filch__list_has_message(list));
    return NULL;
}

/* Another receiver, which only looks, finds that a block is used up, and moves the head on. */
static void another_looks(struct list *l)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, look, l), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* A receiver has claimed a whole block, and is interrupted before it copies anything. Meanwhile another one
 * looks, and somebody sends more than there is room for without that block. */
static void interrupt_a_receiver(bool is_alone)
{
    struct numbers n;
    struct list *l = &n.list;
    uint64_t position;
    void *slots = NULL;   /* as far as a compiler can tell */
    place_stamp life = 0; /* likewise */
    begin(&n, BYTES, is_alone);
    size_t count = l->block_slots;
    send_some(&n, count + 1);
    bool is_inside = filch__alone_enter(&l->head.alone);
    assert_int_equal(is_inside, n.is_alone);
    assert_int_equal(
        filch__list_claim(l, &l->places, is_inside, count, &position, &slots, &life, NULL), count);
    uint64_t index = filch__list_index(l, position);

    another_looks(l);
    assert_int_equal(count_waiting(l), 1);
    send_some(&n, 8 * count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(*(uint64_t *)filch__place_value(slots, &l->places, index + i),
                         n.received++);
        if (!is_inside)
            filch__list_received(&l->places, slots, life, index + i);
    }
    if (is_inside)
        filch__alone_leave(&l->head.alone);

    receive_some(&n, count + 1); /* past the next block, and both are free */
    assert_int_equal(count_waiting(l), 0);
    receive_some(&n, n.sent - n.received);
    filch__list_destroy(l);
}

xt_define(a_block_is_not_used_again_before_one_alone_has_copied_it)
{
    interrupt_a_receiver(true);
}

xt_define(a_block_is_not_used_again_before_one_of_many_has_copied_it)
{
    interrupt_a_receiver(false);
}

/* What was received alone is not marked; so the block stays as it is, and only that one. */
xt_define(the_block_in_which_somebody_stopped_being_alone_is_kept)
{
    struct numbers n;
    begin(&n, BYTES, true);
    size_t count = n.list.block_slots;
    send_some(&n, 4 * count);
    receive_some(&n, count / 2);
    filch__alone_end(&n.list.head.alone);
    n.is_alone = false;
    receive_some(&n, n.sent - n.received);
    assert_int_equal(count_waiting(&n.list), n.list.has_barrier);
    filch__list_destroy(&n.list);
}

/* However many messages go through, those blocks are used that there are. */
xt_define(blocks_go_round)
{
    for (int kind = 0; kind < 4; kind++) {
        struct numbers n;
        begin(&n, kind < 2 ? sizeof(uint64_t) : BYTES, kind % 2 != 0);
        const struct extent *first = n.list.extents;
        for (int i = 0; i < 1000; i++) {
            send_some(&n, n.list.block_slots);
            receive_some(&n, n.list.block_slots);
        }
        assert_ptr_equal(n.list.extents, first);
        filch__list_destroy(&n.list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(a_block_is_not_used_again_before_one_alone_has_copied_it),
        xt_test(a_block_is_not_used_again_before_one_of_many_has_copied_it),
        xt_test(the_block_in_which_somebody_stopped_being_alone_is_kept),
        xt_test(blocks_go_round),
    };
    return xt_run(tests);
}
