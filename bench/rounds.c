/* SPDX-License-Identifier: Apache-2.0 */
#include "rounds.h"

#include <string.h>

#define SLOW_SECONDS 2.0

/* A sample of a shorter turn may have been disturbed for all of it. */
#define SHORT_TURN_SECONDS 0.2

/* Rounds after which the best of a short turn, and of a long one, is about what it is. */
enum { TRIAL_ROUNDS = 3, LONG_TRIAL_ROUNDS = 2 };

static bool is_short(const struct measurement *item)
{
    return item->turn_seconds < SHORT_TURN_SECONDS;
}

/* Whether it has had the rounds that it takes to judge it. */
static bool is_tried(const struct measurement *item)
{
    return item->rounds.count >= (is_short(item) ? TRIAL_ROUNDS : LONG_TRIAL_ROUNDS);
}

/* Who takes so many times as long as the fastest peer is far behind, be it by a disturbance. */
static double far_factor(const struct measurement *item)
{
    if (is_short(item))
        return is_tried(item) ? 2 : 4;
    return is_tried(item) ? 1.25 : 2;
}

/* Whose best is so many times that of another setting is outdone. */
static double outdone_factor(const struct measurement *item)
{
    return is_tried(item) || item->workers == 1 ? 1 : 1.25;
}

static bool is_slow(const struct case_result *result, const struct measurement *item)
{
    return item->turn_seconds > SLOW_SECONDS && !(result->info->flags & CASE_WAITS);
}

static bool is_far_behind(const struct case_result *result, const struct measurement *item)
{
    if (!measurement_is_peer(item))
        return false;
    for (size_t i = 0; i < result->count; i++) {
        const struct measurement *other = &result->items[i];
        if (measurement_is_peer(other) && other->workers == item->workers && !other->failed &&
            series_min(&item->rounds) > far_factor(item) * series_min(&other->rounds))
            return true;
    }
    return false;
}

/* What of a name is the same for all settings of a peer. */
static size_t family_length(const struct measurement *item)
{
    return strcspn(item->impl->name, ":");
}

/* Whether another setting of the same peer was faster. */
static bool is_outdone(const struct case_result *result, const struct measurement *item)
{
    if (!measurement_is_peer(item))
        return false;
    const size_t length = family_length(item);
    for (size_t i = 0; i < result->count; i++) {
        const struct measurement *other = &result->items[i];
        if (other->workers == item->workers && other->rounds.count >= item->rounds.count &&
            !other->failed && family_length(other) == length &&
            strncmp(other->impl->name, item->impl->name, length) == 0 &&
            series_min(&item->rounds) > outdone_factor(item) * series_min(&other->rounds))
            return true;
    }
    return false;
}

void rounds_judge(struct case_result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        struct measurement *item = &result->items[i];
        item->is_out = item->is_out || is_slow(result, item) || is_far_behind(result, item) ||
                       is_outdone(result, item);
    }
}

double rounds_seconds(const struct case_result *result, bool with_start)
{
    double seconds = 0;
    for (size_t i = 0; i < result->count; i++) {
        const struct measurement *item = &result->items[i];
        if (!item->is_out && !item->failed && !item->skipped)
            seconds += item->turn_seconds + (with_start ? item->prepare_seconds : 0);
    }
    return seconds;
}
