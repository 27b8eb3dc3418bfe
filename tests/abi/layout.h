/* SPDX-License-Identifier: Apache-2.0 */
/* One table of the sizes and alignments of the public structs, filled in by each language. */
#ifndef FILCH_ABI_LAYOUT_H
#define FILCH_ABI_LAYOUT_H

#include <filch/filch.h>
#include <stddef.h>

struct layout {
    const char *name;
    size_t size_bytes;
    size_t align_bytes;
};

#ifdef __cplusplus
#define LAYOUT_ALIGN_OF(type) alignof(type)
extern "C" {
#else
#define LAYOUT_ALIGN_OF(type) _Alignof(type)
#endif

#define LAYOUT_OF(type)                                                                            \
    {                                                                                              \
#type, sizeof(type), LAYOUT_ALIGN_OF(type)                                                 \
    }
#define LAYOUTS                                                                                    \
    LAYOUT_OF(struct filch_for_options), LAYOUT_OF(struct filch_pool_config),                      \
        LAYOUT_OF(struct filch_task_attr), LAYOUT_OF(struct filch_thread_attr),                    \
        LAYOUT_OF(struct filch_pool_stats), LAYOUT_OF(struct filch__scope_frame)

/* As C sees it. */
extern const struct layout layouts_in_c[];

#ifdef __cplusplus
}
#endif

#endif
