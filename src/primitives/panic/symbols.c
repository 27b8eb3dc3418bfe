/* SPDX-License-Identifier: Apache-2.0 */
/* A small reader of symbol tables. Debian's libdw would know lines too, but may not be there, and needs
 * more stack than a thread or task that panics is sure to have; addr2line(1) tells them from the offset. */
#define _GNU_SOURCE /* dladdr1 */
#include "panic/symbols.h"

#include <dlfcn.h>
#include <elf.h>
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

static void find_in_file(const struct link_map *map, uintptr_t address, struct symbol *out)
{
    struct image image;
    if (!image_open(&image, map->l_name[0] == '\0' ? "/proc/self/exe" : map->l_name))
        return;
    find_in_table(&image, address - map->l_addr, out);
    image_close(&image);
}

void filch__symbol_find(uintptr_t address, struct symbol *symbol)
{
    *symbol = (struct symbol){.file = NULL};
    Dl_info info = {0};
    struct link_map *map = NULL;
    void *code = (void *)address; /* NOLINT: an address is what it takes */
    if (dladdr1(code, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 || map == NULL)
        return;
    symbol->file = info.dli_fname;
    symbol->offset = address - (uintptr_t)map->l_addr;
    /* The file's own table first: the nearest exported function need not be the one around it. */
    find_in_file(map, address, symbol);
    if (symbol->function[0] == '\0' && info.dli_sname != NULL)
        copy_name(symbol->function, sizeof symbol->function, info.dli_sname,
                  strlen(info.dli_sname));
}
