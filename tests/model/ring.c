/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded channels: each message arrives once, with what was written before it; nobody is left asleep
 * beside a message, beside room, or after the other side has gone. */
#if SCENARIO == 6 || SCENARIO == 7
#define WITHOUT_BARRIER
#endif
#if SCENARIO == 8 || SCENARIO == 16
#define ALONE
#endif
#if SCENARIO >= 12
#define HELPS
#endif
#include "chan.h"

#if SCENARIO == 1 || SCENARIO == 6 /* a message */
#define BODIES sends_0, receives_one
#elif SCENARIO == 2 || SCENARIO == 7 /* room */
#define PRELOADED 1
#define BODIES sends_1, receives_one
#elif SCENARIO == 3 /* the senders go */
#define BODIES sends_and_goes, receives_until_the_end
#elif SCENARIO == 4 /* the receiver goes */
#define CAPACITY 2
#define PRELOADED 1
#define DROPS
#define BODIES sends_to_one_that_goes, goes
#elif SCENARIO == 9 /* they go, seen by one that tries */
#define BODIES sends_and_goes, tries_at_the_end
#elif SCENARIO == 8 /* a message of one that is alone */
#define BODIES sends_0, receives_one
#elif SCENARIO == 5 /* a time-out beside the message */
#define BODIES sends_0, time_passes, receives_in_time
#elif SCENARIO == 10 /* two sleep beside a message that came before the one in front of it */
#define CAPACITY 2
#define HALF_SENT
#define BODIES sends_the_other_half, receives_any, receives_any
#elif SCENARIO == 11 /* the same of selects */
#define CAPACITY 2
#define HALF_SENT
#define BODIES sends_the_other_half, selects_any, selects_any
#elif SCENARIO == 12 /* parties that do it for each other: a message */
#define BODIES sends_0, receives_one
#elif SCENARIO == 13 /* room */
#define PRELOADED 1
#define BODIES sends_1, receives_two
#elif SCENARIO == 14 /* a time-out beside the message */
#define BODIES sends_0, time_passes, receives_in_time
#elif SCENARIO == 15 /* it cannot be done: another one was quicker */
#define PRELOADED 1
#define BODIES sends_1, tries_to_send_2, receives_any_two
#elif SCENARIO == 16 /* a message, where nobody has been before */
#define BODIES sends_0, receives_one
#endif

#ifndef CAPACITY
#define CAPACITY 1
#endif
#include "flow.h"
