/* SPDX-License-Identifier: Apache-2.0 */
/* All of filch. */
#ifndef FILCH_FILCH_H
#define FILCH_FILCH_H

#include <filch/arc.h>
#include <filch/attr.h>
#include <filch/barrier.h>
#include <filch/broadcast.h>
#include <filch/channel.h>
#include <filch/condvar.h>
#include <filch/errors.h>
#include <filch/fork.h>
#include <filch/guard.h>
#include <filch/latch.h>
#include <filch/local.h>
#include <filch/mutex.h>
#include <filch/once.h>
#include <filch/panic.h>
#include <filch/parallel.h>
#include <filch/pool.h>
#include <filch/print.h>
#include <filch/rwlock.h>
#include <filch/scope.h>
#include <filch/select.h>
#include <filch/semaphore.h>
#include <filch/stats.h>
#include <filch/task.h>
#include <filch/task_set.h>
#include <filch/thread.h>
#include <filch/time.h>
#include <filch/version.h>
#include <filch/watch.h>

#endif
