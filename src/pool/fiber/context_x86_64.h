/* SPDX-License-Identifier: Apache-2.0 */
/* The switch of context.h for x86-64, in line. The compiler saves and restores all registers but two. It has to know
 * AT&T syntax, vector registers and the assembler's unwind tables: not -masm=intel, -mno-sse, -fno-dwarf2-cfi-asm. */
#ifndef FILCH_FIBER_CONTEXT_X86_64_H
#define FILCH_FIBER_CONTEXT_X86_64_H

#include <filch/attr.h>
#include <stddef.h>

#ifdef __APX_F__
#error "filch__context_switch does not name the registers of APX"
#endif
#ifdef __AVX512F__
#define FILCH__CONTEXT_VECTORS                                                                     \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20",  \
        "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30",  \
        "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7",
#else
#define FILCH__CONTEXT_VECTORS                                                                     \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
#endif

/* Ends the program: there is nothing to switch to. */
FILCH_COLD __attribute__((noreturn)) void filch__context_none(void);

static FILCH_ALWAYS_INLINE void filch__context_switch(void **saved, void *to)
{
    /* A function that calls has nothing below its stack pointer (the red zone is that of leaves). */
    if (FILCH_UNLIKELY(to == NULL))
        filch__context_none();
    __asm__ volatile(
        "leaq   1f(%%rip), %%rcx\n\t"
        ".cfi_remember_state\n\t"
        /* From here to the jump, a walk finds this code called by the place where its stack goes on. */
        "pushq  %%rcx\n\t"
        ".cfi_def_cfa %%rsp, 8\n\t"
        ".cfi_offset %%rip, -8\n\t"
        ".cfi_same_value %%rbp\n\t"
        ".cfi_same_value %%rbx\n\t"
        ".cfi_same_value %%r12\n\t"
        ".cfi_same_value %%r13\n\t"
        ".cfi_same_value %%r14\n\t"
        ".cfi_same_value %%r15\n\t"
        "pushq  %%rbp\n\t"
        ".cfi_def_cfa_offset 16\n\t"
        "movq   %%rsp, (%%rdi)\n\t"
        "movq   %%rsi, %%rsp\n\t"
        ".cfi_offset %%rbp, -16\n\t"
        "popq   %%rbp\n\t"
        ".cfi_same_value %%rbp\n\t"
        ".cfi_def_cfa_offset 8\n\t"
        "popq   %%rcx\n\t"
        ".cfi_register %%rip, %%rcx\n\t"
        ".cfi_def_cfa_offset 0\n\t"
        "jmp    *%%rcx\n\t"
        ".cfi_restore_state\n\t"
        "nop\n" /* a walk looks for a return address one byte before it */
        "1:"
        : "+D"(saved), "+S"(to)
        :
        : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
          FILCH__CONTEXT_VECTORS "mm0", "mm1", "mm2", "mm3", "mm4", "mm5", "mm6", "mm7", "st",
          "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "cc", "memory");
}

/* What filch__context_call calls to leave the stack: the context lies where the call has put its return address. */
void filch__context_leave(void *to);
#define FILCH_CONTEXT_LEAVE filch__context_leave

/* To the compiler nothing of its registers survives: of those that a function keeps, a stack that goes on has
 * but rbp. It calls other functions too, so its stack is aligned, and there is nothing below the pointer. */
static FILCH_ALWAYS_INLINE void filch__context_call(void (*fn)(void *), void *arg, void **saved)
{
    __asm__ volatile("call   *%%rax"
                     : "+a"(fn), "+D"(arg), "+S"(saved)
                     :
                     : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                       FILCH__CONTEXT_VECTORS "mm0", "mm1", "mm2", "mm3", "mm4", "mm5", "mm6",
                       "mm7", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)",
                       "cc", "memory");
}

#endif
