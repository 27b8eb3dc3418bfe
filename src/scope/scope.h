/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes, as the files of this layer see them. */
#ifndef FILCH_SCOPE_SCOPE_H
#define FILCH_SCOPE_SCOPE_H

#include "pool.h"
#include "tally.h"

#include <filch/scope.h>

/* The scope that lives in a frame. */
struct filch_scope *filch__scope_of(struct filch__scope_frame *frame);

/* Opens a scope; the calling thread becomes a guest of the pool where it is no worker.
 *   pool  NULL: the default pool; ignored where the caller is a worker
 * Returns 0; what filch_pool_default returns. */
FILCH_NODISCARD int filch__scope_open(struct filch_scope *s, struct filch_pool *pool);

/* Waits for the tasks of the scope. On the thread that opened it. */
void filch__scope_close(struct filch_scope *s);

#endif
