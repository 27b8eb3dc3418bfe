/* SPDX-License-Identifier: Apache-2.0 */
#include "picture.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

/* Room for a title. */
enum { WIDTH_LEAST = 960 };

bool picture_folder(const char *folder)
{
    if (mkdir(folder, 0777) == 0 || errno == EEXIST)
        return true;
    fprintf(stderr, "filch-bench: cannot create %s: %s\n", folder, strerror(errno));
    return false;
}

FILE *picture_file(const char *folder, const char *name, const char *suffix)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s", folder, name, suffix);
    FILE *file = fopen(path, "we");
    if (!file)
        fprintf(stderr, "filch-bench: cannot write %s: %s\n", path, strerror(errno));
    return file;
}

bool picture_draw(const char *folder, const char *name)
{
    char script[4096];
    snprintf(script, sizeof script, "%s/%s.gp", folder, name);
    char program[] = "gnuplot";
    char *arguments[] = {program, script, NULL};
    pid_t child;
    int status = 0;
    const int error = posix_spawnp(&child, program, NULL, NULL, arguments, environ);
    if (error) {
        fprintf(stderr, "filch-bench: no pictures, gnuplot does not start: %s\n", strerror(error));
        return false;
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

void picture_script_begin(FILE *script, const char *folder, const char *name, unsigned width)
{
    if (width < WIDTH_LEAST)
        width = WIDTH_LEAST;
    fprintf(script,
            "set terminal pngcairo size %u,640 noenhanced font 'sans,11'\n"
            "set output '%s/%s.png'\n"
            "data = '%s/%s.dat'\n"
            "set style fill solid 0.85 border -1\n"
            "set boxwidth 0.8\n"
            "set grid ytics\n"
            "set xtics rotate by -35 nomirror\n"
            "set key outside top right\n",
            width, folder, name, folder, name);
}
