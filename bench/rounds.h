/* SPDX-License-Identifier: Apache-2.0 */
/* Who of a case takes part in further rounds: time goes into what the summary is about. */
#ifndef FILCH_BENCH_ROUNDS_H
#define FILCH_BENCH_ROUNDS_H

#include "results.h"

/* After a round: those who are known well enough take part in no further one.
 *   - a peer far behind the fastest peer of its width;
 *   - a setting of a peer where another setting of it has been faster;
 *   - whoever takes so long that the others would have no time left. */
void rounds_judge(struct case_result *result);

/* How long those who go on took for their last turns; `with_start`: with a new process each. */
double rounds_seconds(const struct case_result *result, bool with_start);

#endif
