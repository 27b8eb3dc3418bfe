/* SPDX-License-Identifier: Apache-2.0 */
/* All of filch. */
#ifndef FILCH_FILCH_H
#define FILCH_FILCH_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/fork.h>
#include <filch/parallel.h>
#include <filch/pool.h>
#include <filch/scope.h>
#include <filch/stats.h>
#include <filch/task.h>
#include <filch/thread.h>
#include <filch/time.h>
#include <filch/version.h>

#endif
