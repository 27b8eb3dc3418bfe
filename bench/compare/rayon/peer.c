/* SPDX-License-Identifier: Apache-2.0 */
/* The C side of the Rayon peer: the table, and what the Rust side leaves to C. */
#include "peer/peer.h"
#include "growth/growth.h"
#include "latency/latency.h"
#include "tasks/flat.h"

/* Defined in Rust. */
void rayon_start(uint32_t workers);
void rayon_fib(void *data);
void rayon_nqueens(void *data);
void rayon_uts(void *data);
void rayon_msort(void *data);
void rayon_stuck(void *data);
void rayon_flat(void *data, size_t count);
void rayon_grain(void *data, size_t count);
void rayon_submit(void *data, size_t count);
void rayon_dispatch(void *data);
void rayon_dispatch_chunks(void *data);
void rayon_saxpy(void *data);
void rayon_saxpy_chunks(void *data);
void rayon_dot(void *data);
void rayon_dot_chunks(void *data);
void rayon_stencil(void *data);
void rayon_stencil_chunks(void *data);
void rayon_mandelbrot(void *data);
void rayon_spmv(void *data);
void rayon_spmv_chunks(void *data);
void rayon_pagerank(void *data);
void rayon_components(void *data);
void rayon_wake_install(struct wake_data *wake);
void rayon_wake_spawn(struct wake_data *wake);
void rayon_wake_share(void *data, size_t pieces);
void rayon_idle_work(void *data, size_t pieces);
void rayon_first_task(void);

/* Called from Rust. */
void rayon_flat_run(struct flat_data *flat, size_t index);
void rayon_submit_run(struct flat_data *flat, size_t index);
void rayon_grain_run(struct grain_data *grain, size_t index);
void rayon_wake_run(struct wake_data *wake);
void rayon_wake_piece(struct wake_data *wake);
void rayon_idle_run(struct idle_data *idle);

void rayon_flat_run(struct flat_data *flat, size_t index)
{
    flat_task(&flat->ran[index]);
}

void rayon_submit_run(struct flat_data *flat, size_t index)
{
    flat_task(&flat->ran[index]);
    flat_left_down(flat);
}

void rayon_grain_run(struct grain_data *grain, size_t index)
{
    grain_task(&grain->values[index]);
}

void rayon_wake_run(struct wake_data *wake)
{
    wake_task(wake, bench_now_ns());
}

void rayon_wake_piece(struct wake_data *wake)
{
    wake_piece(wake);
}

void rayon_idle_run(struct idle_data *idle)
{
    idle_piece(idle);
}

static void flat(void *data)
{
    rayon_flat(data, ((struct flat_data *)data)->count);
}

static void grain(void *data)
{
    rayon_grain(data, ((struct grain_data *)data)->count);
}

static void submit(void *data)
{
    struct flat_data *flat = data;
    flat_left_set(flat);
    rayon_submit(flat, flat->count);
    flat_left_wait(flat);
}

static void wake_install(void *data)
{
    wake_measure(data, rayon_wake_install);
}

static void wake_spawn(void *data)
{
    wake_measure(data, rayon_wake_spawn);
}

static void share_loop(struct wake_data *wake)
{
    rayon_wake_share(wake, WAKE_PIECES);
}

static void wake_caller(void *data)
{
    wake_measure(data, share_loop);
}

static void idle_work(struct idle_data *idle)
{
    rayon_idle_work(idle, IDLE_PIECES);
}

static void idle(void *data)
{
    idle_measure(data, idle_work);
}

static void start(unsigned workers, const char *case_name)
{
    (void)case_name;
    rayon_start(workers);
}

static const struct bench_impl impls[] = {
    {"fib", "", "", rayon_fib, 34},
    {"nqueens", "", "", rayon_nqueens, 0},
    {"uts-flat", "", "", rayon_uts, 0},
    {"uts-deep", "", "", rayon_uts, 0},
    {"msort", "", "", rayon_msort, 0},
    {"stuck", "", "", rayon_stuck, 0},
    {"flat", "", "", flat, 0},
    {"submit", "", "", submit, 0},
    {"dispatch", "", "", rayon_dispatch, 0},
    {"dispatch", "chunks", "", rayon_dispatch_chunks, 0},
    {"saxpy", "", "", rayon_saxpy, 0},
    {"saxpy", "chunks", "", rayon_saxpy_chunks, 0},
    {"dot", "", "", rayon_dot, 0},
    {"dot", "chunks", "", rayon_dot_chunks, 0},
    {"stencil", "", "", rayon_stencil, 0},
    {"stencil", "chunks", "", rayon_stencil_chunks, 0},
    {"mandelbrot", "", "", rayon_mandelbrot, 0},
    {"spmv", "", "", rayon_spmv, 0},
    {"spmv", "chunks", "", rayon_spmv_chunks, 0},
    {"spmv-mesh", "", "", rayon_spmv, 0},
    {"spmv-mesh", "chunks", "", rayon_spmv_chunks, 0},
    {"pagerank", "", "", rayon_pagerank, 0},
    {"components", "", "", rayon_components, 0},
    {"wake", "", "", wake_install, 0},
    {"wake", "spawn", "", wake_spawn, 0},
    {"wake-result", "", "", wake_install, 0},
    {"wake-result", "spawn", "", wake_spawn, 0},
    {"wake-caller", "", "", wake_caller, 0},
    {"idle", "", "", idle, 0},
    {"cold-start", "", "", cold_start_measure, 0},
    {"grain", "", "", grain, 0},
};

const struct bench_peer bench_peer = {
    "rayon",          "rustc with Debian's rayon", impls, sizeof impls / sizeof impls[0], 0, start,
    rayon_first_task,
};
