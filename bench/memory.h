/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the harness itself: there is always enough, or the program ends with a message. */
#ifndef FILCH_BENCH_MEMORY_H
#define FILCH_BENCH_MEMORY_H

#include <stddef.h>

/* Makes room for one more element in an array of `count` elements that grows by doubling. Returns
 * the array, which may have moved; the new element is all zeros. */
void *bench_grow(void *array, size_t count, size_t element_size_bytes);

char *bench_copy(const char *text);

#endif
