/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_TIMEOUT_MS = 120000, LINE_SIZE = 1 << 16 };

/* Sets "NAME=VALUE NAME=VALUE". */
static void environment_set(const char *text)
{
    char *copy = strdup(text);
    char *save = NULL;
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(word, '=');
        if (equals) {
            *equals = '\0';
            setenv(word, equals + 1, 1);
        }
    }
    free(copy);
}

/* One worker is measured on one CPU, the last that this process may use: the first one tends to
 * serve the interrupts. */
static void pin_to_last_cpu(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (size_t cpu = CPU_SETSIZE; cpu-- > 0;) {
        if (CPU_ISSET(cpu, &allowed)) {
            CPU_ZERO(&allowed);
            CPU_SET(cpu, &allowed);
            sched_setaffinity(0, sizeof allowed, &allowed);
            return;
        }
    }
}

/* In the new process: becomes the peer. */
static void become_peer(const struct peer_impl *impl, const struct child_setup *setup, int input,
                        int output)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    environment_set(impl->environment);
    if (setup->workers == 1 && !(impl->info->flags & CASE_OUTSIDE))
        pin_to_last_cpu();
    char count[16];
    char size[32];
    snprintf(count, sizeof count, "%u", setup->workers);
    if (setup->size > 0)
        snprintf(size, sizeof size, "%ld", setup->size);
    else
        snprintf(size, sizeof size, "%s", setup->quick ? "quick" : "full");
    execl(impl->peer->path, impl->peer->path, impl->info->name, impl->variant, count, size,
          (char *)NULL);
    _exit(127);
}

/* Reads one line of an answer. Returns false, with the reason, if there is none in time. */
static bool answer_read(struct child *child, char *line, int size, char why[128])
{
    struct pollfd ready = {fileno(child->answers), POLLIN, 0};
    const int count = poll(&ready, 1, ANSWER_TIMEOUT_MS);
    if (count == 0) {
        snprintf(why, 128, "no answer within %d s", ANSWER_TIMEOUT_MS / 1000);
        return false;
    }
    if (count > 0 && fgets(line, size, child->answers)) {
        line[strcspn(line, "\n")] = '\0';
        return true;
    }
    int status = 0;
    kill(child->pid, SIGKILL);
    if (waitpid(child->pid, &status, 0) == child->pid)
        child->pid = 0;
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        snprintf(why, 128, "crashed: %s", strsignal(WTERMSIG(status)));
    else
        snprintf(why, 128, "ended without an answer, status %d", WEXITSTATUS(status));
    return false;
}

static enum child_status ready_wait(struct child *child, char why[128])
{
    char line[256];
    if (!answer_read(child, line, sizeof line, why))
        return CHILD_FAILED;
    if (strncmp(line, "skip ", 5) == 0) {
        snprintf(why, 128, "%.127s", line + 5);
        return CHILD_SKIPPED;
    }
    if (strncmp(line, "ready ", 6) != 0) {
        snprintf(why, 128, "unexpected answer '%.100s'", line);
        return CHILD_FAILED;
    }
    child->operations = strtod(line + 6, NULL);
    kill(child->pid, SIGSTOP);
    return CHILD_OK;
}

enum child_status child_start(struct child *child, const struct peer_impl *impl,
                              const struct child_setup *setup, char why[128])
{
    int requests[2];
    int answers[2];
    *child = (struct child){0};
    if (pipe2(requests, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0) {
        snprintf(why, 128, "no pipe: %s", strerror(errno));
        return CHILD_FAILED;
    }
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0)
        become_peer(impl, setup, requests[0], answers[1]);
    close(requests[0]);
    close(answers[1]);
    child->requests = fdopen(requests[1], "w");
    child->answers = fdopen(answers[0], "r");
    if (child->pid < 0 || !child->requests || !child->answers) {
        snprintf(why, 128, "no process: %s", strerror(errno));
        return CHILD_FAILED;
    }
    const enum child_status status = ready_wait(child, why);
    if (status != CHILD_OK)
        child_end(child);
    return status;
}

/* Reads "METRIC=VALUE...". */
static void also_parse(const char *text, struct measurement *into)
{
    for (;;) {
        text += strspn(text, " ");
        const size_t length = strcspn(text, "= ");
        if (text[length] != '=')
            break;
        const enum bench_metric metric = bench_metric_find(text, length);
        char *rest;
        const double value = strtod(text + length + 1, &rest);
        if (metric != METRIC_COUNT)
            series_add(&into->also[metric], value);
        text = rest;
    }
}

/* Reads "CPU_SECONDS RSS_KIB SECONDS... METRIC=VALUE...". */
static bool sample_parse(const char *text, struct measurement *into)
{
    char *rest;
    const double cpu_seconds = strtod(text, &rest);
    const long rss_kib = strtol(rest, &rest, 10);
    size_t count = 0;
    for (char *end;; rest = end, count++) {
        const double value = strtod(rest, &end);
        if (end == rest)
            break;
        series_add(&into->values, value);
    }
    also_parse(rest, into);
    series_add(&into->cpu, cpu_seconds);
    into->rss_kib = rss_kib > into->rss_kib ? rss_kib : into->rss_kib;
    return count > 0;
}

enum child_status child_sample(struct child *child, struct measurement *into)
{
    static char line[LINE_SIZE];
    kill(child->pid, SIGCONT);
    fputs("run\n", child->requests);
    fflush(child->requests);
    if (!answer_read(child, line, sizeof line, into->why)) {
        child_end(child);
        return CHILD_FAILED;
    }
    kill(child->pid, SIGSTOP);
    if (strncmp(line, "sample ", 7) == 0 && sample_parse(line + 7, into))
        return CHILD_OK;
    const bool wrong = strncmp(line, "wrong ", 6) == 0;
    snprintf(into->why, sizeof into->why, "%s%.100s",
             wrong ? "wrong result: " : "unexpected answer: ", wrong ? line + 6 : line);
    child_end(child);
    return CHILD_FAILED;
}

void child_end(struct child *child)
{
    if (child->requests)
        fclose(child->requests);
    if (child->answers)
        fclose(child->answers);
    if (child->pid > 0) {
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
    }
    *child = (struct child){0};
}
