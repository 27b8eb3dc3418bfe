/* SPDX-License-Identifier: Apache-2.0 */
/* Boundaries for x86-64, System V ABI. panic.h says what they do.
 *
 * A frame, from its stack pointer upwards: struct boundary_frame (8 bytes), `panic`, 8 bytes of padding,
 * the return address. The personality makes the unwinder land with the exception in %rax and the stack
 * pointer as it was at the call.
 */
#include "panic/boundary.h"

#if FILCH_BOUNDARY_X86_64

.macro boundary name
        .p2align 4
        .globl  \name
        .type   \name, @function
\name:                                  /* %rdi: fn, %rsi: arg, %rdx: panic, %rcx: mark */
        .cfi_startproc
        .cfi_personality 0x1b, \name\()_personality
        .cfi_lsda 0x1b, .L\name\()_landing
        movq    %rdi, %rax
        movq    %rsi, %rdi
        pushq   %rdx
        .cfi_adjust_cfa_offset 8
        pushq   %rdx
        .cfi_adjust_cfa_offset 8
        pushq   %rcx
        .cfi_adjust_cfa_offset 8
        call    *%rax
        xorl    %eax, %eax
        addq    $24, %rsp
        .cfi_remember_state
        .cfi_adjust_cfa_offset -24
        ret
        .cfi_restore_state
.L\name\()_landing:
        .ascii  BOUNDARY_LETTERS
        movq    %rax, %rdi
        movq    8(%rsp), %rsi
        addq    $24, %rsp
        .cfi_adjust_cfa_offset -24
        jmp     filch__panic_landed
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
        .type   filch__try_nothing, @function
filch__try_nothing:                     /* %rdi: fn, %rsi: arg, %rdx: message */
        .cfi_startproc
        .cfi_personality 0x1b, filch__try_nothing_personality
        subq    $24, %rsp
        .cfi_adjust_cfa_offset 24
        movq    %rdx, 0(%rsp)
        movq    %rdi, %rax
        movq    %rsi, %rdi
        call    *%rax
        addq    $24, %rsp
        .cfi_adjust_cfa_offset -24
        ret
        .cfi_endproc
        .size   filch__try_nothing, . - filch__try_nothing
#endif

        .section .note.GNU-stack, "", @progbits
