/* SPDX-License-Identifier: Apache-2.0 */
/* A small reader of symbol tables. Debian's libdw would know lines too, but may not be there, and needs
 * more stack than a thread or task that panics is sure to have; addr2line(1) tells them from the offset. */
#define _GNU_SOURCE /* dladdr, dl_iterate_phdr, program_invocation_name */
#include "panic/symbols.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SYMBOLS_AT_ONCE = 32 };

/* What a file says of itself is not trusted: whatever lies outside of it cannot be read. */
static bool read_at(int file, uint64_t offset, void *bytes, size_t size_bytes)
{
    return pread(file, bytes, size_bytes, (off_t)offset) == (ssize_t)size_bytes;
}

static bool section_at(int file, const ElfW(Ehdr) * header, size_t number, ElfW(Shdr) * section)
{
    return number < header->e_shnum &&
           read_at(file, header->e_shoff + number * sizeof *section, section, sizeof *section);
}

/* The table of symbols, and that of their names. */
static bool find_table(int file, ElfW(Shdr) * symbols, ElfW(Shdr) * names)
{
    ElfW(Ehdr) header;
    if (!read_at(file, 0, &header, sizeof header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_shentsize != sizeof *symbols)
        return false;
    for (size_t i = 0; section_at(file, &header, i, symbols); i++) {
        if (symbols->sh_type == SHT_SYMTAB)
            return section_at(file, &header, symbols->sh_link, names);
    }
    return false;
}

static bool is_function_around(const ElfW(Sym) * symbol, uintptr_t offset)
{
    return (symbol->st_info & 0xf) == STT_FUNC && offset >= symbol->st_value &&
           offset - symbol->st_value < symbol->st_size;
}

/* The offset of the name of the function that holds the address; 0: it is not known. */
static uint64_t find_name(int file, const ElfW(Shdr) * symbols, uintptr_t offset)
{
    ElfW(Sym) some[SYMBOLS_AT_ONCE];
    uint64_t count = symbols->sh_size / sizeof *some;
    for (uint64_t i = 0; i < count; i += SYMBOLS_AT_ONCE) {
        size_t here = count - i < SYMBOLS_AT_ONCE ? (size_t)(count - i) : SYMBOLS_AT_ONCE;
        if (!read_at(file, symbols->sh_offset + i * sizeof *some, some, here * sizeof *some))
            return 0;
        for (size_t k = 0; k < here; k++) {
            if (is_function_around(&some[k], offset))
                return some[k].st_name;
        }
    }
    return 0;
}

/* The function of the file's table that holds the address. */
static void find_in_table(int file, uintptr_t offset, struct symbol *out)
{
    ElfW(Shdr) symbols, names;
    if (!find_table(file, &symbols, &names))
        return;
    uint64_t name = find_name(file, &symbols, offset);
    if (name == 0)
        return;
    ssize_t length =
        pread(file, out->function, sizeof out->function - 1, (off_t)(names.sh_offset + name));
    out->function[length > 0 ? length : 0] = '\0';
}

struct lookup {
    uintptr_t address;
    struct symbol *symbol;
};

/* Is asked for the program first, then for each shared library. */
static int look_into(struct dl_phdr_info *module, size_t size_bytes, void *argument)
{
    const struct lookup *lookup = argument;
    uintptr_t offset = lookup->address - module->dlpi_addr;
    bool is_inside = false;
    (void)size_bytes;
    for (size_t i = 0; i < module->dlpi_phnum && !is_inside; i++) {
        const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
        is_inside = segment->p_type == PT_LOAD && offset >= segment->p_vaddr &&
                    offset - segment->p_vaddr < segment->p_memsz;
    }
    if (!is_inside)
        return 0;
    bool is_program = module->dlpi_name[0] == '\0';
    lookup->symbol->file = is_program ? program_invocation_name : module->dlpi_name;
    lookup->symbol->offset = offset;
    int file = open(is_program ? "/proc/self/exe" : module->dlpi_name, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        find_in_table(file, offset, lookup->symbol);
        (void)close(file);
    }
    return 1;
}

void filch__symbol_find(uintptr_t address, struct symbol *symbol)
{
    *symbol = (struct symbol){.file = NULL};
    struct lookup lookup = {.address = address, .symbol = symbol};
    (void)dl_iterate_phdr(look_into, &lookup);
    /* The file's own table comes first: the nearest exported function need not be the one around it. */
    Dl_info info;
    if (symbol->function[0] == '\0' &&
        dladdr((void *)address, &info) != 0 && /* NOLINT: an address is what it takes */
        info.dli_sname != NULL)
        (void)snprintf(symbol->function, sizeof symbol->function, "%s", info.dli_sname);
}
