/* SPDX-License-Identifier: Apache-2.0 */
/* Where the code lies. */
#ifndef FILCH_BASE_SECTION_H
#define FILCH_BASE_SECTION_H

/* What runs between the submission of a task from outside and its first instruction, where all workers have
 * slept for long, or between the call of a loop there and its first iteration: these functions lie next to each
 * other, on a few pages, since none of it is in a cache then. A section of its own: the linker leaves other parts of
 * the text as they come, file by file. */
#define FILCH_WAKE_PATH __attribute__((section("filch_wake")))

#endif
