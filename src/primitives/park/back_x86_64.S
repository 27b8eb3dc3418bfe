/* SPDX-License-Identifier: Apache-2.0 */
#include "park/back.h"

#if FILCH_BACK_BY_JUMP
        .text
        .p2align 4
        .globl  filch__back
        .hidden filch__back
        .type   filch__back, @function
filch__back:
        .cfi_startproc
        popq    %rcx
        .cfi_def_cfa_offset 0
        .cfi_register %rip, %rcx
        xorl    %eax, %eax
        jmp     *%rcx
        .cfi_endproc
        .size   filch__back, . - filch__back
#endif

        .section .note.GNU-stack, "", @progbits
