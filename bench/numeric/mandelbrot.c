/* SPDX-License-Identifier: Apache-2.0 */
#include "numeric/mandelbrot.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <string.h>

/* Of so many rows one is compared with the serial one; to compute them all would take as long as a sample. */
enum { CHECKED_EVERY = 8 };

static uint16_t iterations(double re, double im, unsigned limit)
{
    double x = 0;
    double y = 0;
    unsigned count = 0;
    while (count < limit && x * x + y * y <= 4) {
        const double next = x * x - y * y + re;
        y = 2 * x * y + im;
        x = next;
        count++;
    }
    return (uint16_t)count;
}

void mandelbrot_rows(const struct mandelbrot_data *data, size_t begin, size_t end)
{
    for (size_t row = begin; row < end; row++) {
        const double im = -1.25 + 2.5 * (double)row / (double)data->height;
        for (size_t i = 0; i < data->width; i++) {
            const double re = -2.0 + 2.5 * (double)i / (double)data->width;
            data->counts[row * data->width + i] = iterations(re, im, data->limit);
        }
    }
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct mandelbrot_data *mandelbrot = bench_alloc(sizeof *mandelbrot);
    mandelbrot->width = mandelbrot->height = setup->quick ? 200 : 600;
    mandelbrot->limit = 1000;
    const size_t bytes = mandelbrot->width * mandelbrot->height * sizeof(uint16_t);
    uint16_t *expected = bench_alloc(bytes);
    mandelbrot->counts = expected;
    for (size_t row = 0; row < mandelbrot->height; row += CHECKED_EVERY)
        mandelbrot_rows(mandelbrot, row, row + 1);
    mandelbrot->expected = expected;
    mandelbrot->counts = bench_alloc(bytes);
    *operations = 1;
    *data = mandelbrot;
    return NULL;
}

static void reset(void *data)
{
    struct mandelbrot_data *mandelbrot = data;
    memset(mandelbrot->counts, 0, mandelbrot->width * mandelbrot->height * sizeof(uint16_t));
}

static const char *check(const void *data)
{
    const struct mandelbrot_data *mandelbrot = data;
    const size_t width = mandelbrot->width;
    for (size_t row = 0; row < mandelbrot->height; row++) {
        const uint16_t *counts = mandelbrot->counts + row * width;
        for (size_t i = 0; i < width; i++) {
            if (counts[i] == 0)
                return "a point was not computed";
        }
        if (row % CHECKED_EVERY == 0 &&
            memcmp(counts, mandelbrot->expected + row * width, width * sizeof *counts) != 0)
            return "the picture differs from the serial one";
    }
    return NULL;
}

const struct bench_workload mandelbrot_workload = {"mandelbrot", prepare, reset,
                                                   check,        false,   NULL};
