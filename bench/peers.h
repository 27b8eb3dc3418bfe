/* SPDX-License-Identifier: Apache-2.0 */
/* The implementations that were built: each executable `peer-*` beside this program says what it
 * implements. */
#ifndef FILCH_BENCH_PEERS_H
#define FILCH_BENCH_PEERS_H

#include "catalog.h"

#include <stdbool.h>

struct peer {
    char *path;
    char *name;
    char *description;
    unsigned workers_max; /* 0: as many as wanted */
    char *compiler;       /* "gcc", "clang"; of another language: something else */
};

struct peer_impl {
    const struct peer *peer;
    const struct bench_case *info;
    char *name;    /* "libgomp", or with a variant "libgomp:guided" */
    char *variant; /* "-": the recommended setting */
    char *environment;
};

struct peers {
    struct peer **items;
    size_t count;
    struct peer_impl *impls;
    size_t impl_count;
};

/* Asks every peer. Peers that do not answer are left out with a message. Order: filch, serial
 * forms, then the others by name. The result is never freed: it lives as long as the process. */
struct peers peers_find(void);

/* Whether no C compiler makes a difference between the two: both are by the same one, or one is of another
 * language. */
bool peer_is_alike(const struct peer *a, const struct peer *b);

/* Whether the implementation is in `list`: NULL or "all", or names separated by commas, where
 * "libgomp" stands for all of its variants. */
int peer_impl_selected(const struct peer_impl *impl, const char *list);

#endif
