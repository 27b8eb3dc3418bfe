/* SPDX-License-Identifier: Apache-2.0 */
/* What one implementation (a "peer": filch itself, serial C, libgomp, ...) has to provide.
 *
 * Each peer is an executable of its own that serves one case at a time: it prepares the data, then
 * runs one sample whenever the harness asks for one (see main.c for the protocol). So no runtime
 * disturbs another, a wait policy that is read from the environment can differ from run to run,
 * and memory and CPU time are those of this implementation alone.
 *
 * A peer links this folder and the workloads (data, kernels, checks: the same code for all of them)
 * and defines `bench_peer`. To add an implementation of a case, write a function that takes the
 * workload's data and list it in the peer's table.
 */
#ifndef FILCH_BENCH_PEER_PEER_H
#define FILCH_BENCH_PEER_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the harness asked for. */
struct bench_setup {
    long size;        /* that the harness or the implementation wants; 0: the workload's default */
    unsigned workers; /* how many threads may run at the same time */
    bool quick;       /* a smaller problem, for trying things out */
    const void *parameters; /* of the workload */
};

/* One problem: its data, and how a result is judged. */
struct bench_workload {
    const char *name;
    /* Builds the data, untimed. Sets *data and *operations (what ns_per_op divides by). Returns
     * NULL, or the reason why this case cannot run here. */
    const char *(*prepare)(const struct bench_setup *setup, void **data, uint64_t *operations);
    /* Brings the data back to its first state before each run, untimed. May be NULL. */
    void (*reset)(void *data);
    /* Judges the result of a run, untimed. Returns NULL if right, or what is wrong. */
    const char *(*check)(const void *data);
    /* Short cases run once untimed before each sample, since the process was stopped since its
     * last turn: caches are cold and threads asleep. Not where the first run lasted for 50 ms. */
    bool warm_up;
    /* What tells apart the workloads of a family that share their functions; see bench_setup. */
    const void *parameters;
};

/* One way of solving one case. */
struct bench_impl {
    const char *case_name;   /* or a pattern for several, as "mutex-*-*", with ksh's extensions */
    const char *variant;     /* "" for the recommended setting; else, say, "guided" */
    const char *environment; /* "NAME=VALUE NAME=VALUE", set before the process starts; "" */
    void (*run)(void *data);
    long size; /* see bench_setup */
};

struct bench_peer {
    const char *name;        /* "libgomp" */
    const char *description; /* compiler and version, for the record */
    const struct bench_impl *impls;
    size_t impl_count;
    unsigned workers_max; /* 1 for serial code; 0: as many as wanted */
    /* Starts the runtime for that case with `workers` threads; in the cases with a thread outside
     * (`submit`, `wake`, ...) the caller is not one of them. Called once, when the data is there. */
    void (*start)(unsigned workers, const char *case_name);
    /* Runs one task that calls bench_first_task_ran(), for `cold-start`. May be NULL. */
    void (*first_task)(void);
};

/* Defined by each peer. */
extern const struct bench_peer bench_peer;

/* Records a value that the run has measured itself, in seconds. If a run reports any, they are the
 * samples, in place of the time that the whole run took. Call it from the main thread. */
void bench_report(double seconds);

/* Records what else there is to say about the run, under the name of a metric of catalog.h. From the
 * main thread. */
void bench_report_also(const char *metric, double value);

/* The main function of all peers. Returns the status that the process ends with. */
int bench_peer_main(int argc, char **argv);

/* Says, for `cold-start`, that the first task is running now. Any thread. */
void bench_first_task_ran(void);

/* CLOCK_MONOTONIC in ns. */
int64_t bench_now_ns(void);

/* CPU time that this process has used so far, all threads, user and system, in seconds. */
double bench_cpu_seconds(void);

/* CPU time that all threads but the calling one have used so far, to the moment. */
double bench_others_cpu_seconds(void);

/* Memory that this process holds at present, page tables included, in bytes. */
double bench_memory_bytes(void);

/* Memory that is never given back; ends the process with a message where there is none. */
void *bench_alloc(size_t size_bytes);

/* The number of workers that this process was told to use. */
unsigned bench_workers(void);

/* How this code was compiled, for `description`. */
#if defined(__clang__)
#define BENCH_COMPILER "clang " __clang_version__
#else
#define BENCH_COMPILER "gcc " __VERSION__
#endif

#ifdef __cplusplus
}
#endif

#endif
