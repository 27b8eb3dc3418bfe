/* SPDX-License-Identifier: Apache-2.0 */
/* What C++ itself has. */
#include "peer/peer.h"
#include "panics/panics.h"

#include <cstdint>
#include <cstdlib>

namespace
{

panics_data &work_of(void *data)
{
    return *static_cast<panics_data *>(data);
}

void return_at_once(void *data)
{
    ++work_of(data).returned;
}

// So that the compiler does not know what is called.
void (*volatile returns)(void *) = return_at_once;

void run_catch(void *data)
{
    const panics_data &work = work_of(data);
    for (uint64_t i = 0; i < work.count; i++) {
        try {
            returns(data);
        } catch (int) {
            std::abort();
        }
    }
}

struct frame {
    panics_data &work;
    explicit frame(panics_data &w) : work(w)
    {
    }
    __attribute__((noinline)) ~frame()
    {
        work.cleaned++;
    }
};

void go_down(panics_data &work, uint64_t frames);
void (*volatile down)(panics_data &work, uint64_t frames) = go_down;

void go_down(panics_data &work, uint64_t frames)
{
    const frame here(work);
    if (frames == 1)
        throw 7;
    down(here.work, frames - 1);
}

void run_panic(void *data)
{
    panics_data &work = work_of(data);
    for (uint64_t i = 0; i < work.count; i++) {
        try {
            down(work, work.frames);
        } catch (int) {
            work.caught++;
        }
    }
}

void start(unsigned, const char *)
{
}

const struct bench_impl impls[] = {
    {"catch", "", "", run_catch, 0},
    {"panic-1", "", "", run_panic, 0},
    {"panic-10", "", "", run_panic, 0},
    {"panic-100", "", "", run_panic, 0},
};

} // namespace

const struct bench_peer bench_peer = {
    "cxx", BENCH_COMPILER, impls, sizeof impls / sizeof impls[0], 1, start, nullptr,
};
