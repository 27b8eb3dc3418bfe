/* SPDX-License-Identifier: Apache-2.0 */
#include "park/brief.h"

#include "park/spin.h"

void filch__brief_enter_slow(struct brief *b)
{
    uint32_t seen;
    do {
        for (int step = 0; (seen = FILCH_LOAD_RELAXED(&b->word)) != 0;) /* a look */
            filch__spin_on(step++);
    } while (!FILCH_CAS(&b->word, &seen, 1, LK_brief, acquire));
}
