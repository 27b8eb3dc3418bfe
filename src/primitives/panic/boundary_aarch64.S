/* SPDX-License-Identifier: Apache-2.0 */
/* Boundaries for aarch64. panic.h says what they do.
 *
 * A frame, from its stack pointer upwards: struct boundary_frame (8 bytes), `panic`, the frame record.
 * The personality makes the unwinder land with the exception in x0 and the stack pointer as it was at
 * the call.
 */
#include "panic/boundary.h"

#if FILCH_BOUNDARY_AARCH64

.macro boundary name
        .p2align 4
        .globl  \name
        .type   \name, %function
\name:                                  /* x0: fn, x1: arg, x2: panic, x3: mark */
        .cfi_startproc
        .cfi_personality 0x1b, \name\()_personality
        .cfi_lsda 0x1b, .L\name\()_landing
        sub     sp, sp, #32
        .cfi_def_cfa_offset 32
        stp     x29, x30, [sp, #16]
        .cfi_offset x29, -16
        .cfi_offset x30, -8
        add     x29, sp, #16
        stp     x3, x2, [sp]
        mov     x9, x0
        mov     x0, x1
        blr     x9
        mov     w0, #0
        ldp     x29, x30, [sp, #16]
        add     sp, sp, #32
        .cfi_remember_state
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_restore_state
.L\name\()_landing:
        .ascii  BOUNDARY_LETTERS
        hint    #36                     /* bti j */
        ldr     x1, [sp, #8]
        ldp     x29, x30, [sp, #16]
        add     sp, sp, #32
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        b       filch__panic_landed
        .cfi_endproc
        .size   \name, . - \name
.endm

        .hidden filch__try_task
        .hidden filch__try_personality, filch__try_task_personality
        .hidden filch__try_nothing_personality
        .text
        boundary filch__try
        boundary filch__try_task

        .p2align 4
        .globl  filch__try_nothing
        .hidden filch__try_nothing
        .type   filch__try_nothing, %function
filch__try_nothing:                     /* x0: fn, x1: arg, x2: message */
        .cfi_startproc
        .cfi_personality 0x1b, filch__try_nothing_personality
        sub     sp, sp, #32
        .cfi_def_cfa_offset 32
        stp     x29, x30, [sp, #16]
        .cfi_offset x29, -16
        .cfi_offset x30, -8
        add     x29, sp, #16
        str     x2, [sp]
        mov     x9, x0
        mov     x0, x1
        blr     x9
        ldp     x29, x30, [sp, #16]
        add     sp, sp, #32
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   filch__try_nothing, . - filch__try_nothing
#endif

        .section .note.GNU-stack, "", %progbits
