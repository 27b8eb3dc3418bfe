/* SPDX-License-Identifier: Apache-2.0 */
/* The library from C++: structs have the layout that C gives them, and a loop and a scope run. */
#include "layout.h"

#include <cstdio>
#include <cstring>

static const struct layout layouts_in_cxx[] = {LAYOUTS};

static int compare_layouts()
{
    int differences = 0;
    for (size_t i = 0; i < sizeof layouts_in_cxx / sizeof layouts_in_cxx[0]; i++) {
        const struct layout &here = layouts_in_cxx[i];
        const struct layout &there = layouts_in_c[i];
        if (here.size_bytes != there.size_bytes || here.align_bytes != there.align_bytes) {
            std::printf("%s: %zu bytes aligned to %zu in C++, %zu aligned to %zu in C\n", here.name,
                        here.size_bytes, here.align_bytes, there.size_bytes, there.align_bytes);
            differences++;
        }
    }
    return differences;
}

static void mark(size_t begin, size_t end, void *ctx)
{
    std::memset(static_cast<char *>(ctx) + begin, 1, end - begin);
}

static void set(void *flag)
{
    *static_cast<bool *>(flag) = true;
}

int main()
{
    int failures = compare_layouts();
    char marks[1000] = {0};
    filch_for(0, sizeof marks, mark, marks);
    for (char done : marks)
        failures += done != 1;
    bool ran = false;
    FILCH_SCOPE(s)
    {
        failures += filch_scope_spawn(s, set, &ran) != 0;
    }
    failures += !ran;
    failures += std::strcmp(filch_version(), FILCH_VERSION_STRING) != 0;
    return failures != 0;
}
