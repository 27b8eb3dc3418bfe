/* SPDX-License-Identifier: Apache-2.0 */
#include "latency/latency.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct cold_start_data {
    bool failed; /* out */
};

/* Starts this program with "--first-task WORKERS", its output in a pipe. Returns 0 on success. */
static int start(pid_t *child, int *output)
{
    int ends[2];
    if (pipe(ends) != 0)
        return 1;
    char workers[16];
    snprintf(workers, sizeof workers, "%u", bench_workers());
    char program[] = "/proc/self/exe";
    char option[] = "--first-task";
    char *arguments[] = {program, option, workers, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    const int error = posix_spawn(child, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *output = ends[0];
    if (error)
        close(ends[0]);
    return error;
}

void cold_start_measure(void *data)
{
    struct cold_start_data *cold = data;
    cold->failed = true;
    pid_t child;
    int output;
    const int64_t begin_ns = bench_now_ns();
    if (start(&child, &output) != 0)
        return;
    char answer[32] = "";
    const ssize_t length = read(output, answer, sizeof answer - 1);
    close(output);
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0 || length <= 0)
        return;
    cold->failed = false;
    bench_report(1e-9 * (double)(strtoll(answer, NULL, 10) - begin_ns));
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    (void)setup;
    *data = bench_alloc(sizeof(struct cold_start_data));
    *operations = 1;
    return NULL;
}

static const char *check(const void *data)
{
    const struct cold_start_data *cold = data;
    return cold->failed ? "the new process ran no task" : NULL;
}

const struct bench_workload cold_start_workload = {"cold-start", prepare, NULL, check, true, NULL};
