/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime of C++ keeps for each thread and takes for the stack's: the exceptions that handlers
 * have caught and not left yet, and how many are on their way. */
#ifndef FILCH_PANIC_CXX_H
#define FILCH_PANIC_CXX_H

#include <filch/attr.h>
#include <stddef.h>

/* struct __cxa_eh_globals of the Itanium C++ ABI, section 2.2.2. */
struct cxx_exceptions {
    void *caught;
    unsigned uncaught;
};

/* The calling thread's; there is no such function where no runtime of C++ was there when this library was
 * loaded. */
extern struct cxx_exceptions *__cxa_get_globals(void) __attribute__((weak));

/* The running stack is left: its exceptions are not those of the next one. Returns them. */
static inline struct cxx_exceptions filch__cxx_leave_stack(void)
{
    struct cxx_exceptions left = {.caught = NULL};
    if (FILCH_UNLIKELY(__cxa_get_globals != NULL)) {
        struct cxx_exceptions *here = __cxa_get_globals();
        left = *here;
        *here = (struct cxx_exceptions){.caught = NULL};
    }
    return left;
}

/* The stack goes on. */
static inline void filch__cxx_enter_stack(const struct cxx_exceptions *left)
{
    if (FILCH_UNLIKELY(__cxa_get_globals != NULL))
        *__cxa_get_globals() = *left;
}

#endif
