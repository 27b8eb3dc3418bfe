/* SPDX-License-Identifier: Apache-2.0 */
/* What all pictures have in common: NAME.dat and NAME.gp in a folder, from which gnuplot draws
 * NAME.png; both stay, so that it can be drawn again in another way. */
#ifndef FILCH_BENCH_PICTURE_H
#define FILCH_BENCH_PICTURE_H

#include <stdbool.h>
#include <stdio.h>

/* Makes the folder where it is not there. Returns false, after a message, if it cannot. */
bool picture_folder(const char *folder);

/* Opens FOLDER/NAME.SUFFIX for writing; NULL after a message. */
FILE *picture_file(const char *folder, const char *name, const char *suffix);

/* Writes what all scripts begin with. No name holds a quote. */
void picture_script_begin(FILE *script, const char *folder, const char *name, unsigned width);

/* Runs gnuplot on FOLDER/NAME.gp, which writes FOLDER/NAME.png. Returns false, after a message,
 * where that fails. */
bool picture_draw(const char *folder, const char *name);

#endif
