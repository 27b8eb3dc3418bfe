/* SPDX-License-Identifier: Apache-2.0 */
/* What stacks begin with, for x86-64, System V ABI. The contract is in context.h.
 *
 * A stopped stack, from its context upwards (16 bytes; the switch itself is in context_x86_64.h):
 *
 *      0  rbp      of a fresh stack: 0, which ends a walk along frame pointers
 *      8  where to go on: behind the switch, or the call; of a fresh stack: the entry of context_base, for which the
 *            entry function and its argument follow
 */
#include "fiber/context.h"

#if FILCH_CONTEXT_X86_64
        .text
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
        movq    8(%rsp), %rdi
        call    *0(%rsp)
        ud2                             /* an entry function does not return */
        .cfi_endproc
        .size   context_base, . - context_base

        .p2align 4
        .globl  filch__context_none
        .hidden filch__context_none
        .type   filch__context_none, @function
filch__context_none:
        .cfi_startproc
        ud2
        .cfi_endproc
        .size   filch__context_none, . - filch__context_none

        .p2align 4
        .globl  filch__context_leave
        .hidden filch__context_leave
        .type   filch__context_leave, @function
filch__context_leave:                   /* %rdi: to, %rsi: where the context is stored */
        .cfi_startproc
        pushq   %rbp
        .cfi_def_cfa_offset 16
        movq    %rsp, (%rsi)
        movq    %rdi, %rsp
        .cfi_offset %rbp, -16
        popq    %rbp
        .cfi_same_value %rbp
        .cfi_def_cfa_offset 8
        popq    %rcx
        .cfi_register %rip, %rcx
        .cfi_def_cfa_offset 0
        jmp     *%rcx
        .cfi_endproc
        .size   filch__context_leave, . - filch__context_leave

        .p2align 4
        .globl  filch__context_make
        .hidden filch__context_make
        .type   filch__context_make, @function
filch__context_make:                    /* %rdi: low, %rsi: top, %rdx: entry, %rcx: argument */
        .cfi_startproc
        andq    $-16, %rsi
        /* Below 16 bytes of zeros what the base takes, and below that the context: the call in
         * context_base finds the stack aligned to 16, as the ABI asks. */
        leaq    -48(%rsi), %rax
        leaq    .Lcontext_base_entry(%rip), %r8
        xorl    %r9d, %r9d
        movq    %r9, 0(%rax)
        movq    %r8, 8(%rax)
        movq    %rdx, 16(%rax)
        movq    %rcx, 24(%rax)
        movq    %r9, 32(%rax)
        movq    %r9, 40(%rax)
        ret
        .cfi_endproc
        .size   filch__context_make, . - filch__context_make
#endif

        .section .note.GNU-stack, "", @progbits
