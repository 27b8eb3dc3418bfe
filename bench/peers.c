/* SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"

#include "memory.h"

#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Cuts the first word off *rest. Returns it, or "" at the end. */
static char *word_cut(char **rest)
{
    char *word = *rest;
    char *space = strchr(word, ' ');
    if (space) {
        *space = '\0';
        *rest = space + 1;
    } else {
        *rest = word + strlen(word);
    }
    return word;
}

static void impl_add(struct peers *peers, const struct peer *peer, char *line)
{
    const struct bench_case *info = bench_case_find(word_cut(&line));
    const char *variant = word_cut(&line);
    if (!info)
        return;
    peers->impls = bench_grow(peers->impls, peers->impl_count, sizeof *peers->impls);
    struct peer_impl *impl = &peers->impls[peers->impl_count++];
    char name[96];
    const char *separator = strchr(peer->name, ':') ? "-" : ":";
    if (strcmp(variant, "-") == 0)
        snprintf(name, sizeof name, "%s", peer->name);
    else
        snprintf(name, sizeof name, "%s%s%s", peer->name, separator, variant);
    *impl = (struct peer_impl){peer, info, bench_copy(name), bench_copy(variant), bench_copy(line)};
}

/* Reads "NAME WORKERS_MAX DESCRIPTION". */
static struct peer *peer_add(struct peers *peers, const char *path, char *text)
{
    struct peer *peer = bench_grow(NULL, 0, sizeof *peer);
    peer->path = bench_copy(path);
    peer->name = bench_copy(word_cut(&text));
    peer->workers_max = (unsigned)strtoul(word_cut(&text), NULL, 10);
    peer->description = bench_copy(text);
    peer->compiler = bench_copy(word_cut(&text));
    peers->items = bench_grow(peers->items, peers->count, sizeof *peers->items);
    peers->items[peers->count++] = peer;
    return peer;
}

static void answer_read(struct peers *peers, const char *path, FILE *answer)
{
    char line[512];
    const struct peer *peer = NULL;
    while (fgets(line, sizeof line, answer)) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line;
        if (peer)
            impl_add(peers, peer, line);
        else if (strcmp(word_cut(&rest), "peer") == 0)
            peer = peer_add(peers, path, rest);
        else
            break;
    }
    if (!peer)
        fprintf(stderr, "filch-bench: %s does not say what it implements; left out\n", path);
}

static void peer_ask(struct peers *peers, const char *path)
{
    char command[4200];
    if (access(path, X_OK) != 0 || strchr(path, '\''))
        return;
    snprintf(command, sizeof command, "'%s' --list", path);
    FILE *answer = popen(command, "re");
    if (!answer)
        return;
    answer_read(peers, path, answer);
    pclose(answer);
}

static int rank(const struct peer_impl *impl)
{
    if (strncmp(impl->name, "filch", 5) == 0)
        return 0;
    return strncmp(impl->name, "serial", 6) == 0 ? 1 : 2;
}

static int impl_compare(const void *left, const void *right)
{
    const struct peer_impl *a = left;
    const struct peer_impl *b = right;
    if (rank(a) != rank(b))
        return rank(a) - rank(b);
    return strcmp(a->name, b->name);
}

struct peers peers_find(void)
{
    struct peers peers = {0};
    char pattern[4096];
    const ssize_t length = readlink("/proc/self/exe", pattern, sizeof pattern - 16);
    if (length <= 0)
        return peers;
    pattern[length] = '\0';
    strcpy(strrchr(pattern, '/') + 1, "peer-*");
    glob_t found;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            peer_ask(&peers, found.gl_pathv[i]);
        globfree(&found);
    }
    if (peers.impl_count > 0)
        qsort(peers.impls, peers.impl_count, sizeof *peers.impls, impl_compare);
    return peers;
}

static bool is_c(const struct peer *peer)
{
    return strcmp(peer->compiler, "gcc") == 0 || strcmp(peer->compiler, "clang") == 0;
}

bool peer_is_alike(const struct peer *a, const struct peer *b)
{
    return !is_c(a) || !is_c(b) || strcmp(a->compiler, b->compiler) == 0;
}

int peer_impl_selected(const struct peer_impl *impl, const char *list)
{
    if (!list || strcmp(list, "all") == 0)
        return 1;
    const char *colon = strchr(impl->name, ':');
    const size_t base = colon ? (size_t)(colon - impl->name) : strlen(impl->name);
    while (*list) {
        const size_t length = strcspn(list, ",");
        const bool whole = length == strlen(impl->name) && strncmp(list, impl->name, length) == 0;
        const bool family = length == base && strncmp(list, impl->name, base) == 0;
        if (whole || family)
            return 1;
        list += length + (list[length] == ',');
    }
    return 0;
}
