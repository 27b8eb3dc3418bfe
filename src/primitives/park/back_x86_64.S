/* SPDX-License-Identifier: Apache-2.0 */
#include "park/back.h"

#if FILCH_BACK_BY_JUMP

.macro back name
        .p2align 4
        .globl  \name
        .hidden \name
        .type   \name, @function
\name:
        .cfi_startproc
        popq    %rcx
        .cfi_def_cfa_offset 0
        .cfi_register %rip, %rcx
        xorl    %eax, %eax
        jmp     *%rcx
        .cfi_endproc
        .size   \name, . - \name
.endm

        .section filch_wake, "ax", @progbits    /* FILCH_WAKE_PATH */
        back    filch__back
        back    filch__back_void
#endif

        .section .note.GNU-stack, "", @progbits
