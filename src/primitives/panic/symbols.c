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
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file in memory; what it says of itself is not trusted. */
struct image {
    const char *bytes;
    size_t size_bytes;
};

static bool image_open(struct image *image, const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    struct stat status;
    void *bytes = MAP_FAILED;
    if (fstat(file, &status) == 0 && status.st_size > 0)
        bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    (void)close(file);
    if (bytes == MAP_FAILED)
        return false;
    *image = (struct image){.bytes = bytes, .size_bytes = (size_t)status.st_size};
    return true;
}

static void image_close(struct image *image)
{
    (void)munmap((void *)(uintptr_t)image->bytes, image->size_bytes);
}

/* Bytes of the image, or NULL where it has none there. */
static const void *at(const struct image *image, uint64_t offset, uint64_t size_bytes)
{
    if (offset > image->size_bytes || size_bytes > image->size_bytes - offset)
        return NULL;
    return image->bytes + offset;
}

/* The number-th section's header; copied, as it may lie at any address. */
static bool section_at(const struct image *image, const ElfW(Ehdr) * header, size_t number,
                       ElfW(Shdr) * section)
{
    if (number >= header->e_shnum)
        return false;
    const void *bytes = at(image, header->e_shoff + number * sizeof *section, sizeof *section);
    if (bytes == NULL)
        return false;
    memcpy(section, bytes, sizeof *section);
    return true;
}

static bool find_table(const struct image *image, ElfW(Shdr) * symbols, ElfW(Shdr) * names)
{
    ElfW(Ehdr) header;
    if (image->size_bytes < sizeof header)
        return false;
    memcpy(&header, image->bytes, sizeof header);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_shentsize != sizeof *symbols)
        return false;
    for (size_t i = 0; section_at(image, &header, i, symbols); i++) {
        if (symbols->sh_type == SHT_SYMTAB)
            return section_at(image, &header, symbols->sh_link, names);
    }
    return false;
}

static bool is_function_around(const ElfW(Sym) * symbol, uintptr_t address)
{
    return (symbol->st_info & 0xf) == STT_FUNC && address >= symbol->st_value &&
           address - symbol->st_value < symbol->st_size;
}

static void copy_name(char *function, size_t room, const char *name, size_t length)
{
    if (length > room - 1)
        length = room - 1;
    memcpy(function, name, length);
    function[length] = '\0';
}

/* The function of the file's table that holds the address. */
static void find_in_table(const struct image *image, uintptr_t address, struct symbol *out)
{
    ElfW(Shdr) symbols, names;
    if (!find_table(image, &symbols, &names))
        return;
    const char *table = at(image, symbols.sh_offset, symbols.sh_size);
    const char *text = at(image, names.sh_offset, names.sh_size);
    if (table == NULL || text == NULL)
        return;
    for (size_t i = 0; i < symbols.sh_size / sizeof(ElfW(Sym)); i++) {
        ElfW(Sym) symbol;
        memcpy(&symbol, table + i * sizeof symbol, sizeof symbol);
        if (!is_function_around(&symbol, address) || symbol.st_name >= names.sh_size)
            continue;
        const char *name = text + symbol.st_name;
        copy_name(out->function, sizeof out->function, name,
                  strnlen(name, names.sh_size - symbol.st_name));
        return;
    }
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
    struct image image;
    if (image_open(&image, is_program ? "/proc/self/exe" : module->dlpi_name)) {
        find_in_table(&image, offset, lookup->symbol);
        image_close(&image);
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
        copy_name(symbol->function, sizeof symbol->function, info.dli_sname,
                  strlen(info.dli_sname));
}
