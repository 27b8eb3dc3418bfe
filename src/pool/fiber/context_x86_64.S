/* SPDX-License-Identifier: Apache-2.0 */
/* The switch for x86-64, System V ABI. The contract is in context.h.
 *
 * A stopped stack, from its context upwards (56 bytes):
 *
 *      0  r15
 *      8  r14
 *     16  r13      of a fresh stack: the argument of the entry function
 *     24  r12      of a fresh stack: the entry function
 *     32  rbx
 *     40  rbp      of a fresh stack: 0, which ends a walk along frame pointers
 *     48  where to go on: the caller of the switch; of a fresh stack: the entry of
 *            context_base
 *
 * The unwind rules need no change when %rsp moves to the other stack: its frame looks the same, and
 * from that instruction on a walk leads out of the stack that is about to run.
 */
#include "fiber/context.h"

#if FILCH_CONTEXT_X86_64
        .text
        .p2align 4
        .globl  filch__context_switch
        .hidden filch__context_switch
        .type   filch__context_switch, @function
filch__context_switch:                  /* %rdi: void **saved, %rsi: void *to */
        .cfi_startproc
        leaq    -48(%rsp), %rsp
        .cfi_adjust_cfa_offset 48
        movq    %r15, 0(%rsp)
        .cfi_rel_offset %r15, 0
        movq    %r14, 8(%rsp)
        .cfi_rel_offset %r14, 8
        movq    %r13, 16(%rsp)
        .cfi_rel_offset %r13, 16
        movq    %r12, 24(%rsp)
        .cfi_rel_offset %r12, 24
        movq    %rbx, 32(%rsp)
        .cfi_rel_offset %rbx, 32
        movq    %rbp, 40(%rsp)
        .cfi_rel_offset %rbp, 40
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        movq    0(%rsp), %r15
        movq    8(%rsp), %r14
        movq    16(%rsp), %r13
        movq    24(%rsp), %r12
        movq    32(%rsp), %rbx
        movq    40(%rsp), %rbp
        leaq    48(%rsp), %rsp
        .cfi_def_cfa_offset 8
        .cfi_restore %r15
        .cfi_restore %r14
        .cfi_restore %r13
        .cfi_restore %r12
        .cfi_restore %rbx
        .cfi_restore %rbp
        ret
        .cfi_endproc
        .size   filch__context_switch, . - filch__context_switch

        /* The base of each stack. An undefined return address ends every walk here. The nop is
         * there because a walker looks up the instruction before a return address, and of a
         * stack that has not run yet that address is the entry. */
        .p2align 4
        .type   context_base, @function
context_base:
        .cfi_startproc
        .cfi_undefined %rip
        nop
.Lcontext_base_entry:
        movq    %r13, %rdi
        call    *%r12
        ud2                             /* an entry function does not return */
        .cfi_endproc
        .size   context_base, . - context_base

        .p2align 4
        .globl  filch__context_make
        .hidden filch__context_make
        .type   filch__context_make, @function
filch__context_make:                    /* %rdi: low, %rsi: top, %rdx: entry, %rcx: argument */
        .cfi_startproc
        andq    $-16, %rsi
        /* 56 bytes of context below 16 bytes of zeros: the call in context_base finds the stack
         * aligned to 16, as the ABI asks. */
        leaq    -72(%rsi), %rax
        leaq    .Lcontext_base_entry(%rip), %r8
        xorl    %r9d, %r9d
        movq    %r9, 0(%rax)
        movq    %r9, 8(%rax)
        movq    %rcx, 16(%rax)
        movq    %rdx, 24(%rax)
        movq    %r9, 32(%rax)
        movq    %r9, 40(%rax)
        movq    %r8, 48(%rax)
        movq    %r9, 56(%rax)
        movq    %r9, 64(%rax)
        ret
        .cfi_endproc
        .size   filch__context_make, . - filch__context_make
#endif

        .section .note.GNU-stack, "", @progbits
