/* SPDX-License-Identifier: Apache-2.0 */
/* The three forms in which results are shown. */
#ifndef FILCH_BENCH_REPORT_H
#define FILCH_BENCH_REPORT_H

#include "results.h"

#include <stdbool.h>
#include <stdio.h>

/* A table for people. */
void report_table(FILE *out, const struct results *results);

/* JSON for programs. Returns false, after a message, if the file cannot be written. */
bool report_json(const char *path, const struct results *results);

/* Pictures, one per case and one of all, drawn by gnuplot from scripts that are left beside them.
 * Returns false, after a message, if they cannot be drawn. */
bool report_plot(const char *folder, const struct results *results);

#endif
