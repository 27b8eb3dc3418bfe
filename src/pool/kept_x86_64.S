/* SPDX-License-Identifier: Apache-2.0 */
/* The slow paths of a fork for callers that keep nothing from them: they preserve every general register
 * but their result and %r11 (clang's preserve_most), and else do what the functions without `_kept` do.
 * filch/inline/fork.h says what for.
 */
#if defined(__x86_64__) && !defined(__ILP32__)

.macro push_kept register
        pushq   \register
        .cfi_adjust_cfa_offset 8
.endm

.macro pop_kept register
        popq    \register
        .cfi_adjust_cfa_offset -8
.endm

/* With nine words beside the return address the stack is aligned at the call. */
.macro kept name, returns, of
        .p2align 4
        .globl  \name\()_kept
        .type   \name\()_kept, @function
\name\()_kept:                          /* %rdi: q, %rsi: slot */
        .cfi_startproc
        push_kept %rcx
        push_kept %rdx
        push_kept %rsi
        push_kept %rdi
        push_kept %r8
        push_kept %r9
        push_kept %r10
        push_kept %rax
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        call    \of@PLT
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
.if \returns
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
.else
        pop_kept %rax
.endif
        pop_kept %r10
        pop_kept %r9
        pop_kept %r8
        pop_kept %rdi
        pop_kept %rsi
        pop_kept %rdx
        pop_kept %rcx
        ret
        .cfi_endproc
        .size   \name\()_kept, . - \name\()_kept
.endm

        .text
        .hidden filch__sync_quietly
        kept    filch__fork_slow, 1, filch__fork_slow
        kept    filch__fork_answer, 0, filch__fork_answer
        kept    filch__sync_slow, 1, filch__sync_quietly
#endif

        .section .note.GNU-stack, "", @progbits
