/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a call that has waited: it goes back to its caller by a jump.
 *
 *     int error = filch__park(&w, deadline);
 *     if (error == 0)
 *         return filch__back();           0
 *
 * A processor predicts each return from the latest call that has not returned yet, on whatever stack. When a
 * task goes on that has been set aside, those are calls of others: the return of the wait would be predicted
 * wrongly, some 5 ns, and would use up the entry of somebody whose return is still to come. A jump is predicted
 * from where the program has come from, and leaves these entries alone; the loop of a worker has made the one
 * for the return of the task's function (filch__context_call).
 *
 * Last in a function, this is a jump to three instructions; where the compiler makes it a call, as without
 * optimisation, it returns 0 all the same. Clang (14) makes it one wherever a variable of the frame has a scope of
 * its own, and then a return is guessed wrong that was right before: there it is nothing. On the way of a call
 * that has not waited it would leave an entry too many: each return of those around it would be predicted wrongly.
 *
 * Shadow stacks and landing pads (Intel CET) do not know these jumps: the object carries no mark of them, as those
 * that switch stacks (the pool's fiber/context.h), and so the linker leaves both off.
 */
#ifndef FILCH_PARK_BACK_H
#define FILCH_PARK_BACK_H

#ifndef FILCH_PORTABLE_CONTEXT
#define FILCH_PORTABLE_CONTEXT 0
#endif

#if defined(__x86_64__) && !defined(__clang__) && !FILCH_PORTABLE_CONTEXT && !defined(FILCH_MODEL)
#define FILCH_BACK_BY_JUMP 1
#else
#define FILCH_BACK_BY_JUMP 0
#endif

#ifndef __ASSEMBLER__

#include <filch/attr.h>

#if FILCH_BACK_BY_JUMP

/* Returns 0. Const: so the compiler knows that it does not look at the frame that is gone by then. */
__attribute__((const)) int filch__back(void);

/* The same for a function that returns nothing. */
void filch__back_void(void);

#else

static FILCH_ALWAYS_INLINE int filch__back(void)
{
    return 0;
}

static FILCH_ALWAYS_INLINE void filch__back_void(void)
{
}

#endif

#endif

#endif
