/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1 /* environ */
#include "os/env.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int shift_of(const char *suffix, unsigned *shift)
{
    static const char letters[] = "KMG";
    *shift = 0;
    if (suffix[0] == '\0')
        return 0;
    const char *found = strchr(letters, suffix[0]);
    if (found == NULL || suffix[1] != '\0')
        return EINVAL;
    *shift = 10u * (unsigned)(found - letters + 1);
    return 0;
}

int filch__env_size(const char *name, size_t fallback, size_t *value)
{
    const char *text = getenv(name);
    if (text == NULL || text[0] == '\0') {
        *value = fallback;
        return 0;
    }
    size_t number = 0;
    const char *rest = text;
    for (; *rest >= '0' && *rest <= '9'; rest++) {
        if (__builtin_mul_overflow(number, (size_t)10, &number) ||
            __builtin_add_overflow(number, (size_t)(*rest - '0'), &number))
            return EINVAL;
    }
    unsigned shift;
    if (rest == text || shift_of(rest, &shift) != 0 || number == 0 || number > SIZE_MAX >> shift)
        return EINVAL;
    *value = number << shift;
    return 0;
}

int filch__env_word(const char *name, const char *const *words, size_t count, size_t *chosen)
{
    const char *text = getenv(name);
    if (text == NULL || text[0] == '\0')
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *chosen = i;
            return 0;
        }
    }
    return EINVAL;
}

bool filch__env_has_any(const char *prefix)
{
    size_t length = strlen(prefix);
    for (char *const *variable = environ; variable != NULL && *variable != NULL; variable++) {
        if (strncmp(*variable, prefix, length) == 0)
            return true;
    }
    return false;
}
