/* SPDX-License-Identifier: Apache-2.0 */
#include "numeric/debian_graph.h"

#include "numeric/names.h"
#include "peer/peer.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct edge {
    uint32_t from;
    uint32_t to;
};

struct reader {
    struct names names;
    uint8_t *is_package; /* by number: a stanza describes it */
    size_t is_package_size;
    struct edge *edges;
    size_t edge_count;
    size_t edge_capacity;
};

static void package_mark(struct reader *reader, uint32_t number)
{
    if (number >= reader->is_package_size) {
        const size_t size = 2 * (size_t)number + 1024;
        reader->is_package = realloc(reader->is_package, size);
        if (!reader->is_package)
            abort();
        memset(reader->is_package + reader->is_package_size, 0, size - reader->is_package_size);
        reader->is_package_size = size;
    }
    reader->is_package[number] = 1;
}

static bool package_known(const struct reader *reader, uint32_t number)
{
    return number < reader->is_package_size && reader->is_package[number];
}

static void edge_add(struct reader *reader, uint32_t from, uint32_t to)
{
    if (reader->edge_count == reader->edge_capacity) {
        reader->edge_capacity = reader->edge_capacity ? 2 * reader->edge_capacity : 4096;
        reader->edges = realloc(reader->edges, reader->edge_capacity * sizeof *reader->edges);
        if (!reader->edges)
            abort();
    }
    reader->edges[reader->edge_count++] = (struct edge){from, to};
}

/* Reads "libc6 (>= 2.36), awk | mawk:any, ..." */
static void relations_read(struct reader *reader, uint32_t from, const char *text)
{
    while (*text) {
        text += strspn(text, " ,|\t\n");
        const size_t length = strcspn(text, " ,|(:\t\n");
        if (length > 0)
            edge_add(reader, from, names_number(&reader->names, text, length));
        text += strcspn(text, ",|");
    }
}

static void stanzas_read(struct reader *reader, FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    uint32_t package = 0;
    while ((length = getline(&line, &size, file)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        if (strncmp(line, "Package: ", 9) == 0) {
            package = names_number(&reader->names, line + 9, strlen(line + 9));
            package_mark(reader, package);
        } else if (strncmp(line, "Depends: ", 9) == 0) {
            relations_read(reader, package, line + 9);
        } else if (strncmp(line, "Pre-Depends: ", 13) == 0) {
            relations_read(reader, package, line + 13);
        }
    }
    free(line);
}

static void list_read(struct reader *reader, const char *path)
{
    const size_t length = strlen(path);
    const bool plain = length > 9 && strcmp(path + length - 9, "_Packages") == 0;
    if (plain || strchr(path, '\'')) {
        FILE *file = plain ? fopen(path, "re") : NULL;
        if (file) {
            stanzas_read(reader, file);
            fclose(file);
        }
        return;
    }
    /* apt's own helper knows every compression that apt uses for its lists. */
    char command[1024];
    snprintf(command, sizeof command, "/usr/lib/apt/apt-helper cat-file '%s' 2>/dev/null", path);
    FILE *pipe = popen(command, "re");
    if (pipe) {
        stanzas_read(reader, pipe);
        pclose(pipe);
    }
}

static void sources_read(struct reader *reader)
{
    glob_t lists;
    if (glob("/var/lib/apt/lists/*_Packages*", 0, NULL, &lists) == 0) {
        for (size_t i = 0; i < lists.gl_pathc; i++)
            list_read(reader, lists.gl_pathv[i]);
        globfree(&lists);
    }
    if (reader->edge_count > 0)
        return;
    FILE *status = fopen("/var/lib/dpkg/status", "re");
    if (status) {
        stanzas_read(reader, status);
        fclose(status);
    }
}

static int edge_compare(const void *left, const void *right)
{
    const struct edge *a = left;
    const struct edge *b = right;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return (a->to > b->to) - (a->to < b->to);
}

/* Renumbers the packages without gaps and drops double edges, loops and unknown names. */
static void graph_build(struct reader *reader, struct graph *graph)
{
    uint32_t *vertex = bench_alloc(reader->names.count * sizeof *vertex);
    for (size_t i = 0; i < reader->names.count; i++) {
        if (package_known(reader, (uint32_t)i))
            vertex[i] = (uint32_t)graph->vertices++;
    }
    qsort(reader->edges, reader->edge_count, sizeof *reader->edges, edge_compare);
    graph->offsets = bench_alloc((graph->vertices + 1) * sizeof *graph->offsets);
    graph->targets = bench_alloc(reader->edge_count * sizeof *graph->targets);
    for (size_t i = 0; i < reader->edge_count; i++) {
        const struct edge edge = reader->edges[i];
        const bool again = i > 0 && edge_compare(&reader->edges[i - 1], &edge) == 0;
        if (again || edge.from == edge.to || !package_known(reader, edge.to))
            continue;
        graph->targets[graph->edges++] = vertex[edge.to];
        graph->offsets[vertex[edge.from] + 1]++;
    }
    for (size_t v = 0; v < graph->vertices; v++)
        graph->offsets[v + 1] += graph->offsets[v];
    free(vertex);
}

const char *debian_graph_read(struct graph *graph)
{
    struct reader reader = {0};
    sources_read(&reader);
    *graph = (struct graph){0};
    if (reader.edge_count > 0)
        graph_build(&reader, graph);
    names_free(&reader.names);
    free(reader.is_package);
    free(reader.edges);
    return graph->edges > 0 ? NULL : "neither apt lists nor a dpkg status file can be read here";
}

struct graph graph_reverse(const struct graph *graph)
{
    struct graph reverse = {graph->vertices, graph->edges, NULL, NULL};
    reverse.offsets = bench_alloc((graph->vertices + 1) * sizeof *reverse.offsets);
    reverse.targets = bench_alloc(graph->edges * sizeof *reverse.targets);
    for (size_t k = 0; k < graph->edges; k++)
        reverse.offsets[graph->targets[k] + 1]++;
    for (size_t v = 0; v < graph->vertices; v++)
        reverse.offsets[v + 1] += reverse.offsets[v];
    size_t *next = bench_alloc((graph->vertices + 1) * sizeof *next);
    memcpy(next, reverse.offsets, (graph->vertices + 1) * sizeof *next);
    for (size_t v = 0; v < graph->vertices; v++) {
        for (size_t k = graph->offsets[v]; k < graph->offsets[v + 1]; k++)
            reverse.targets[next[graph->targets[k]]++] = (uint32_t)v;
    }
    free(next);
    return reverse;
}
