/* SPDX-License-Identifier: Apache-2.0 */
/* A program that loads the library late and unloads it while its workers live: nothing of theirs may
 * go, neither then nor at exit. */
#include <dlfcn.h>
#include <filch/filch.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef int loop(size_t begin, size_t end, filch_for_body *body, void *ctx);

static void add_range(size_t begin, size_t end, void *ctx)
{
    __atomic_fetch_add((size_t *)ctx, end - begin, __ATOMIC_RELAXED);
}

static int run_and_unload(const char *path)
{
    size_t sum = 0;
    loop *run = NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    void *symbol = dlsym(library, "filch_for");
    memcpy(&run, &symbol, sizeof run);
    if (run == NULL || run(0, 100000, add_range, &sum) != 0 || sum != 100000)
        return 1;
    return dlclose(library);
}

int main(int argc, char **argv)
{
    for (int i = 0; i < 2; i++) {
        if (argc != 2 || run_and_unload(argv[1]) != 0)
            return 1;
        struct timespec idle = {
            0, 50000000}; /* the workers go to sleep, in code that has to be there */
        (void)nanosleep(&idle, NULL);
    }
    return 0;
}
