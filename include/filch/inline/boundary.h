/* SPDX-License-Identifier: Apache-2.0 */
/* The boundary of filch_catch_unwind, which lies in the user's program: a call into a shared library and
 * back costs 2 ns, twice as much as the boundary. Private, although public headers include it.
 *
 * It is a frame in assembly. Its unwind information names a personality of the library's and, as that
 * one's data, eight letters with the code behind them where a panic lands. At its stack pointer lies
 * `mark`. Each program and each shared library has one of it, however many files include this. */
#ifndef FILCH_INLINE_BOUNDARY_H
#define FILCH_INLINE_BOUNDARY_H

#include <filch/attr.h>
#include <filch/version.h>

/* Without -fexceptions the compiler may leave out the tables that the boundary is found by. */
#if defined(__EXCEPTIONS) && (defined(__x86_64__) || defined(__aarch64__)) &&                      \
    !FILCH__PORTABLE_CONTEXT && !defined(FILCH_MODEL)
#define FILCH__BOUNDARY_HERE 1
#else
#define FILCH__BOUNDARY_HERE 0
#endif

#if FILCH__BOUNDARY_HERE

FILCH_EXTERN_C_BEGIN

struct _Unwind_Exception;

/* Calls fn(arg). Returns NULL: fn has returned; or what has reached the boundary. */
__attribute__((visibility("hidden"))) struct _Unwind_Exception *
filch__boundary(void (*fn)(void *), void *arg, const void *mark);

FILCH_EXTERN_C_END

/* Link-time optimisation puts the assembly of many files into one: hence .ifndef. */
#define FILCH__BOUNDARY_BEGIN                                                                      \
    ".ifndef filch__boundary\n"                                                                    \
    ".pushsection .data.rel.local.DW.ref.filch__boundary_personality, \"awG\", %progbits, "        \
    "DW.ref.filch__boundary_personality, comdat\n"                                                 \
    ".p2align 3\n"                                                                                 \
    ".weak DW.ref.filch__boundary_personality\n"                                                   \
    ".hidden DW.ref.filch__boundary_personality\n"                                                 \
    ".type DW.ref.filch__boundary_personality, %object\n"                                          \
    ".size DW.ref.filch__boundary_personality, 8\n"                                                \
    "DW.ref.filch__boundary_personality:\n"                                                        \
    ".quad filch__boundary_personality\n"                                                          \
    ".popsection\n"                                                                                \
    ".pushsection .text.filch__boundary, \"axG\", %progbits, filch__boundary, comdat\n"            \
    ".p2align 4\n"                                                                                 \
    ".weak filch__boundary\n"                                                                      \
    ".hidden filch__boundary\n"                                                                    \
    ".type filch__boundary, %function\n"                                                           \
    "filch__boundary:\n"                                                                           \
    ".cfi_startproc\n"                                                                             \
    ".cfi_personality 0x9b, DW.ref.filch__boundary_personality\n"                                  \
    ".cfi_lsda 0x1b, .Lfilch__boundary_landing\n"
#define FILCH__BOUNDARY_END                                                                        \
    ".cfi_endproc\n"                                                                               \
    ".size filch__boundary, . - filch__boundary\n"                                                 \
    ".popsection\n"                                                                                \
    ".endif\n"

#if defined(__x86_64__)
/* %rdi: fn, %rsi: arg, %rdx: mark; where it lands, %rax: the exception. */
__asm__(FILCH__BOUNDARY_BEGIN "movq %rdi, %rax\n"
                              "movq %rsi, %rdi\n"
                              "pushq %rdx\n"
                              ".cfi_adjust_cfa_offset 8\n"
                              "call *%rax\n"
                              "xorl %eax, %eax\n"
                              "addq $8, %rsp\n"
                              ".cfi_remember_state\n"
                              ".cfi_adjust_cfa_offset -8\n"
                              "ret\n"
                              ".cfi_restore_state\n"
                              ".Lfilch__boundary_landing:\n"
                              ".ascii \"FLCHLAND\"\n"
                              "addq $8, %rsp\n"
                              ".cfi_adjust_cfa_offset -8\n"
                              "ret\n" FILCH__BOUNDARY_END);
#else
/* x0: fn, x1: arg, x2: mark; where it lands, x0: the exception. */
__asm__(FILCH__BOUNDARY_BEGIN "sub sp, sp, #32\n"
                              ".cfi_def_cfa_offset 32\n"
                              "stp x29, x30, [sp, #16]\n"
                              ".cfi_offset x29, -16\n"
                              ".cfi_offset x30, -8\n"
                              "add x29, sp, #16\n"
                              "str x2, [sp]\n"
                              "mov x9, x0\n"
                              "mov x0, x1\n"
                              "blr x9\n"
                              "mov x0, #0\n"
                              "b 1f\n"
                              ".Lfilch__boundary_landing:\n"
                              ".ascii \"FLCHLAND\"\n"
                              "hint #36\n" /* bti j */
                              "1:\n"
                              "ldp x29, x30, [sp, #16]\n"
                              "add sp, sp, #32\n"
                              ".cfi_def_cfa_offset 0\n"
                              ".cfi_restore x29\n"
                              ".cfi_restore x30\n"
                              "ret\n" FILCH__BOUNDARY_END);
#endif

#endif

#endif
