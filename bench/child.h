/* SPDX-License-Identifier: Apache-2.0 */
/* A peer at work: a process that has its data ready and runs one sample when asked. Between its
 * turns it is stopped, so that a runtime that spins while it has nothing to do takes no CPU time
 * from the others. */
#ifndef FILCH_BENCH_CHILD_H
#define FILCH_BENCH_CHILD_H

#include "peers.h"
#include "results.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct child {
    pid_t pid;
    FILE *requests;
    FILE *answers;
    double operations; /* per sample */
};

struct child_setup {
    unsigned workers;
    long size; /* of the problem; 0: the case's own */
    bool quick;
};

enum child_status {
    CHILD_OK,
    CHILD_SKIPPED, /* the case cannot run on this machine */
    CHILD_FAILED,  /* a wrong result, a crash, or no answer in time */
};

/* Starts a peer and waits until it is ready. On anything but CHILD_OK, *why says what is the matter
 * and there is no process left. */
enum child_status child_start(struct child *child, const struct peer_impl *impl,
                              const struct child_setup *setup, char why[128]);

/* Runs one sample and adds it: values in seconds, and what else was measured; or why there is none. */
enum child_status child_sample(struct child *child, struct measurement *into);

/* Ends the process. */
void child_end(struct child *child);

#endif
