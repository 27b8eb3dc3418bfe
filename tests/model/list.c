/* SPDX-License-Identifier: Apache-2.0 */
/* Unbounded channels, with blocks of two messages: as in ring.c, and blocks are used again only when all
 * of their messages have been copied. */
#if SCENARIO == 6
#define WITHOUT_BARRIER
#elif SCENARIO == 8 || SCENARIO == 9 /* messages that are copied when they have been claimed */
#define UNPACKED 1
#endif
#include "chan.h"

#define CAPACITY FILCH_UNBOUNDED
#if SCENARIO == 1 || SCENARIO == 6 /* a message */
#define BODIES sends_0, receives_one
#elif SCENARIO == 2 /* the message is in the next block */
#define PRELOADED 2
#define BODIES sends_2, receives_three
#elif SCENARIO == 3 /* the senders go */
#define BODIES sends_and_goes, receives_until_the_end
#elif SCENARIO == 4 || SCENARIO == 9 /* the receiver goes */
#define PRELOADED 1
#define DROPS
#define BODIES sends_to_one_that_goes, goes
#elif SCENARIO == 5 || SCENARIO == 8 /* a block is used again */
#define PRELOADED 3
#define BODIES sends_3_and_4, tries_to_receive, receives_two
#elif SCENARIO == 7 /* a block is used by one that did not put it there */
#define PRELOADED 2
#define BODIES sends_2, sends_4
#elif SCENARIO == 10 /* two receive where one of them has gone on to a block */
#define PRELOADED 4
#define TAKEN 2
#define BODIES tries_to_receive, tries_to_receive
#endif
#include "flow.h"
