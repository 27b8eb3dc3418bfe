/* SPDX-License-Identifier: Apache-2.0 */
#include "growth/growth.h"

#include "compare/openmp/openmp.h"

void openmp_grain(void *data)
{
    struct grain_data *grain = data;
#pragma omp parallel
#pragma omp single
    {
        for (size_t i = 0; i < grain->count; i++) {
            void *argument = &grain->values[i];
#pragma omp task firstprivate(argument)
            grain_task(argument);
        }
#pragma omp taskwait
    }
}

void openmp_iterations(void *data)
{
    struct iterations_data *loop = data;
    const size_t iterations = loop->iterations;
    for (size_t repeat = 0; repeat < loop->repeats; repeat++) {
        uint64_t sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)
        for (size_t i = 0; i < iterations; i++)
            sum = iterations_next(sum, i);
        loop->sum += sum;
    }
}
