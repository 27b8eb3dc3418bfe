/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 512 };

/* Appends `text` to the line as far as it fits; returns the new length. */
static size_t append(char *line, size_t length, const char *text)
{
    size_t room = LINE_MAX_BYTES - length;
    size_t count = strlen(text);
    if (count > room)
        count = room;
    memcpy(line + length, text, count);
    return length + count;
}

static size_t append_number(char *line, size_t length, int number)
{
    char digits[12];
    size_t first = sizeof digits - 1;
    digits[first] = '\0';
    unsigned rest = number < 0 ? 0u : (unsigned)number;
    do {
        digits[--first] = (char)('0' + rest % 10u);
        rest /= 10u;
    } while (rest != 0);
    return append(line, length, digits + first);
}

void filch__abort(const char *message, const char *file, int line)
{
    char text[LINE_MAX_BYTES];
    size_t length = append(text, 0, "filch: ");
    length = append(text, length, message);
    length = append(text, length, " (");
    length = append(text, length, file);
    length = append(text, length, ":");
    length = append_number(text, length, line);
    length = append(text, length, ")\n");
    /* One write, so that lines of several dying threads do not mix; nothing is left to do where it
     * fails. */
    ssize_t written = write(STDERR_FILENO, text, length);
    (void)written;
    abort();
}
