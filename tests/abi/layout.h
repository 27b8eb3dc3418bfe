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
#define LAYOUTS_OF_LOCKS                                                                           \
    LAYOUT_OF(struct filch_barrier), LAYOUT_OF(struct filch_latch), LAYOUT_OF(struct filch_lazy),  \
        LAYOUT_OF(struct filch_once), LAYOUT_OF(struct filch_once_cell),                           \
        LAYOUT_OF(struct filch_semaphore), LAYOUT_OF(struct filch_condvar),                        \
        LAYOUT_OF(struct filch_mutex), LAYOUT_OF(struct filch_rwlock)
#define LAYOUTS                                                                                    \
    LAYOUTS_OF_LOCKS, LAYOUT_OF(struct filch_channel_config), LAYOUT_OF(struct filch_select_case), \
        LAYOUT_OF(struct filch_for_options), LAYOUT_OF(struct filch_pool_config),                  \
        LAYOUT_OF(struct filch_task_attr), LAYOUT_OF(struct filch_thread_attr),                    \
        LAYOUT_OF(struct filch_pool_stats), LAYOUT_OF(struct filch__scope_frame),                  \
        LAYOUT_OF(struct filch__thread_scope_frame), LAYOUT_OF(struct filch__local),               \
        LAYOUT_OF(struct filch__arc), LAYOUT_OF(struct filch_watch_config),                        \
        LAYOUT_OF(struct filch_broadcast_config), LAYOUT_OF(struct filch_task_set_config),         \
        LAYOUT_OF(struct filch_task_end)

/* As C sees it. */
extern const struct layout layouts_in_c[];

#ifdef __cplusplus
}
#endif

#endif
