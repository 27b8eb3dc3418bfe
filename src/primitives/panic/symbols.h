/* SPDX-License-Identifier: Apache-2.0 */
/* The names of functions, for backtraces: also of those that a program does not export. */
#ifndef FILCH_PANIC_SYMBOLS_H
#define FILCH_PANIC_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/* Where an address lies. */
struct symbol {
    const char *file;   /* of the program or shared library; valid while that is loaded */
    uintptr_t offset;   /* of the address in it, as addr2line(1) takes it */
    char function[128]; /* cut where it is longer; "": unknown */
};

/* Looks an address up, in the dynamic symbols and in the file's own table.
 *   address  of code
 *   symbol   receives what is known; where nothing is, file is NULL                        [out]
 * Blocks: for the reading of a file. Panics: never. errno may change. Callable from: anywhere but
 * signal handlers. */
void filch__symbol_find(uintptr_t address, struct symbol *symbol);

#endif
