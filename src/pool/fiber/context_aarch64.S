/* SPDX-License-Identifier: Apache-2.0 */
/* The switch for 64-bit ARM, AAPCS64. The contract is in context.h.
 *
 * A stopped stack, from its context upwards (160 bytes):
 *
 *      0  x19 x20      of a fresh stack: the entry function, and its argument
 *     16  x21 x22
 *     32  x23 x24
 *     48  x25 x26
 *     64  x27 x28
 *     80  x29          of a fresh stack: 0, which ends a walk along frame pointers
 *     88  where to go on: the caller of the switch; of a fresh stack: the entry of
 *           context_base
 *     96  d8  d9
 *    112  d10 d11
 *    128  d12 d13
 *    144  d14 d15
 *
 * The unwind rules need no change when sp moves to the other stack: its frame looks the same, and
 * from that instruction on a walk leads out of the stack that is about to run.
 */
#include "fiber/context.h"

#if FILCH_CONTEXT_AARCH64
        .text
        .p2align 4
        .globl  filch__context_switch
        .hidden filch__context_switch
        .type   filch__context_switch, %function
filch__context_switch:                  /* x0: void **saved, x1: void *to */
        .cfi_startproc
        sub     sp, sp, #160
        .cfi_adjust_cfa_offset 160
        stp     x19, x20, [sp, #0]
        .cfi_rel_offset x19, 0
        .cfi_rel_offset x20, 8
        stp     x21, x22, [sp, #16]
        .cfi_rel_offset x21, 16
        .cfi_rel_offset x22, 24
        stp     x23, x24, [sp, #32]
        .cfi_rel_offset x23, 32
        .cfi_rel_offset x24, 40
        stp     x25, x26, [sp, #48]
        .cfi_rel_offset x25, 48
        .cfi_rel_offset x26, 56
        stp     x27, x28, [sp, #64]
        .cfi_rel_offset x27, 64
        .cfi_rel_offset x28, 72
        stp     x29, x30, [sp, #80]
        .cfi_rel_offset x29, 80
        .cfi_rel_offset x30, 88
        stp     d8, d9, [sp, #96]
        .cfi_rel_offset d8, 96
        .cfi_rel_offset d9, 104
        stp     d10, d11, [sp, #112]
        .cfi_rel_offset d10, 112
        .cfi_rel_offset d11, 120
        stp     d12, d13, [sp, #128]
        .cfi_rel_offset d12, 128
        .cfi_rel_offset d13, 136
        stp     d14, d15, [sp, #144]
        .cfi_rel_offset d14, 144
        .cfi_rel_offset d15, 152
        mov     x9, sp
        str     x9, [x0]
        mov     sp, x1
        ldp     x29, x30, [sp, #80]
        ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        add     sp, sp, #160
        /* The caller's registers are all in place. */
        .cfi_def_cfa_offset 0
        .cfi_restore x30
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore d8
        .cfi_restore d9
        .cfi_restore d10
        .cfi_restore d11
        .cfi_restore d12
        .cfi_restore d13
        .cfi_restore d14
        .cfi_restore d15
        ret
        .cfi_endproc
        .size   filch__context_switch, . - filch__context_switch

        /* The base of each stack. An undefined return address ends every walk here. The nop is
         * there because a walker looks up the instruction before a return address, and of a
         * stack that has not run yet that address is the entry. */
        .p2align 4
        .type   context_base, %function
context_base:
        .cfi_startproc
        .cfi_undefined x30
        nop
.Lcontext_base_entry:
        mov     x0, x20
        blr     x19
        brk     #1                      /* an entry function does not return */
        .cfi_endproc
        .size   context_base, . - context_base

        .p2align 4
        .globl  filch__context_make
        .hidden filch__context_make
        .type   filch__context_make, %function
filch__context_make:                    /* x0: low, x1: top, x2: entry, x3: argument */
        .cfi_startproc
        and     x1, x1, #-16
        /* 160 bytes of context below 16 bytes of zeros, where a frame record of the base would
         * lie. */
        stp     xzr, xzr, [x1, #-16]
        sub     x0, x1, #176
        adr     x9, .Lcontext_base_entry
        stp     x2, x3, [x0, #0]
        stp     xzr, xzr, [x0, #16]
        stp     xzr, xzr, [x0, #32]
        stp     xzr, xzr, [x0, #48]
        stp     xzr, xzr, [x0, #64]
        stp     xzr, x9, [x0, #80]
        stp     xzr, xzr, [x0, #96]
        stp     xzr, xzr, [x0, #112]
        stp     xzr, xzr, [x0, #128]
        stp     xzr, xzr, [x0, #144]
        ret
        .cfi_endproc
        .size   filch__context_make, . - filch__context_make
#endif

        .section .note.GNU-stack, "", %progbits
