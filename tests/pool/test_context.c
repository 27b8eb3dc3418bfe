/* SPDX-License-Identifier: Apache-2.0 */
/* The raw switch: what it keeps, how a fresh stack looks, and that walks out of it end. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* REG_RIP */
#endif

#include "fiber/context.h"
#include "fiber_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include <cmocka.h>

enum { STACK_BYTES = 256 * 1024 };

/* These tests switch without telling a sanitizer, so the other side does nothing that it
 * watches. */
static void *main_context;
static void *other_context;
static char *stack_low;
static unsigned valgrind_stack;

static int setup(void **state)
{
    (void)state;
    stack_low = aligned_alloc(4096, STACK_BYTES);
    if (stack_low == NULL)
        return -1;
    memset(stack_low, 0xa5, STACK_BYTES);
#ifdef VALGRIND_STACK_REGISTER
    valgrind_stack = (unsigned)VALGRIND_STACK_REGISTER(stack_low, stack_low + STACK_BYTES);
#endif
    return 0;
}

static int teardown(void **state)
{
    (void)state;
#ifdef VALGRIND_STACK_DEREGISTER
    VALGRIND_STACK_DEREGISTER(valgrind_stack);
#endif
    (void)valgrind_stack;
    free(stack_low);
    return 0;
}

static void make_other(void (*entry)(void *), void *argument)
{
    other_context = filch__context_make(stack_low, stack_low + STACK_BYTES, entry, argument);
}

/* ---- Registers ------------------------------------------------------------------------------- */

/* switch_with_pattern(saved, to, pattern, found) loads the registers that a call must keep with
 * pattern[], switches, and stores what they hold afterwards in found[]. */
#if FILCH_CONTEXT_X86_64
/* What calls a switch has to find these registers as they were. */
__attribute__((used, noinline)) static void switch_in_line(void **saved, void *to)
{
    filch__context_switch(saved, to);
}

enum { PATTERN_WORDS = 6 };
__asm__(".text\n"
        ".type switch_with_pattern, @function\n"
        "switch_with_pattern:\n"
        "    pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
        "    pushq %rcx\n"
        "    movq 0(%rdx), %rbx; movq 8(%rdx), %rbp; movq 16(%rdx), %r12\n"
        "    movq 24(%rdx), %r13; movq 32(%rdx), %r14; movq 40(%rdx), %r15\n"
        "    call switch_in_line\n"
        "    popq %rcx\n"
        "    movq %rbx, 0(%rcx); movq %rbp, 8(%rcx); movq %r12, 16(%rcx)\n"
        "    movq %r13, 24(%rcx); movq %r14, 32(%rcx); movq %r15, 40(%rcx)\n"
        "    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx\n"
        "    ret\n"
        ".size switch_with_pattern, . - switch_with_pattern\n");
#elif FILCH_CONTEXT_AARCH64
enum { PATTERN_WORDS = 11 + 8 };
__asm__(".text\n"
        ".type switch_with_pattern, %function\n"
        "switch_with_pattern:\n"
        "    sub sp, sp, #176\n"
        "    stp x19, x20, [sp, #0]\n    stp x21, x22, [sp, #16]\n    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n    stp x27, x28, [sp, #64]\n    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n    stp d10, d11, [sp, #112]\n    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n    str x3, [sp, #160]\n"
        "    ldp x19, x20, [x2, #0]\n    ldp x21, x22, [x2, #16]\n    ldp x23, x24, [x2, #32]\n"
        "    ldp x25, x26, [x2, #48]\n    ldp x27, x28, [x2, #64]\n    ldr x29, [x2, #80]\n"
        "    ldp d8, d9, [x2, #88]\n    ldp d10, d11, [x2, #104]\n    ldp d12, d13, [x2, #120]\n"
        "    ldp d14, d15, [x2, #136]\n"
        "    bl filch__context_switch\n"
        "    ldr x3, [sp, #160]\n"
        "    stp x19, x20, [x3, #0]\n    stp x21, x22, [x3, #16]\n    stp x23, x24, [x3, #32]\n"
        "    stp x25, x26, [x3, #48]\n    stp x27, x28, [x3, #64]\n    str x29, [x3, #80]\n"
        "    stp d8, d9, [x3, #88]\n    stp d10, d11, [x3, #104]\n    stp d12, d13, [x3, #120]\n"
        "    stp d14, d15, [x3, #136]\n"
        "    ldp x19, x20, [sp, #0]\n    ldp x21, x22, [sp, #16]\n    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n    ldp x27, x28, [sp, #64]\n    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n    ldp d10, d11, [sp, #112]\n    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n    add sp, sp, #176\n"
        "    ret\n"
        ".size switch_with_pattern, . - switch_with_pattern\n");
#endif

#if FILCH_CONTEXT_UCONTEXT

static void test_keeps_registers(void **state)
{
    (void)state;
    skip(); /* the C library's switch is not ours to test */
}

#else

void switch_with_pattern(void **saved, void *to, const uint64_t *pattern, uint64_t *found);

static void fill_pattern(uint64_t *pattern, uint64_t *random)
{
    for (int i = 0; i < PATTERN_WORDS; i++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        pattern[i] = *random;
    }
}

static size_t lost_by_other;

static void keep_switching(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    for (;;) {
        uint64_t pattern[PATTERN_WORDS];
        uint64_t found[PATTERN_WORDS];
        fill_pattern(pattern, &random);
        switch_with_pattern(&other_context, main_context, pattern, found);
        lost_by_other += memcmp(pattern, found, sizeof pattern) != 0;
    }
}

static void test_keeps_registers(void **state)
{
    (void)state;
    lost_by_other = 0;
    size_t lost = 0;
    uint64_t random = 1;
    make_other(keep_switching, (void *)7);
    for (size_t i = 0; i < scaled(500000); i++) {
        uint64_t pattern[PATTERN_WORDS];
        uint64_t found[PATTERN_WORDS];
        fill_pattern(pattern, &random);
        switch_with_pattern(&main_context, other_context, pattern, found);
        lost += memcmp(pattern, found, sizeof pattern) != 0;
    }
    assert_int_equal(lost, 0);
    assert_int_equal(lost_by_other, 0);
}

#endif

/* ---- A fresh stack --------------------------------------------------------------------------- */

struct fresh {
    void *argument;
    uintptr_t misaligned;
    bool on_stack;
};

static struct fresh fresh;

static void look_around(void *argument)
{
    _Alignas(16) volatile char aligned[16];
    aligned[0] = 0;
    fresh.argument = argument;
    fresh.misaligned = (uintptr_t)aligned % 16 | (uintptr_t)__builtin_frame_address(0) % 16;
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    fresh.on_stack = frame > (uintptr_t)stack_low && frame < (uintptr_t)stack_low + STACK_BYTES;
    filch__context_switch(&other_context, main_context);
}

static void test_fresh_stack(void **state)
{
    (void)state;
    /* Whatever the alignment of its top. */
    for (size_t cut = 0; cut < 64; cut++) {
        fresh = (struct fresh){0};
        char *top = stack_low + STACK_BYTES - cut;
        other_context = filch__context_make(stack_low, top, look_around, &fresh);
        filch__context_switch(&main_context, other_context);
        assert_ptr_equal(fresh.argument, &fresh);
        assert_int_equal(fresh.misaligned, 0);
        assert_true(fresh.on_stack);
    }
}

/* ---- Walks ----------------------------------------------------------------------------------- */

enum { FRAMES_MAX = 64 };

/* What a walk met. */
struct walk {
    _Unwind_Reason_Code end;
    int frames;
    bool met_other;   /* a frame of walk_here or stop_and_go */
    bool met_stepper; /* a frame of a test on the main stack */
    const void *from; /* the frame that has been interrupted there does not count */
};

static void stop_and_go(void *argument);
static void walk_here(void *argument);
static void run_walks(void **state);

static _Unwind_Reason_Code see_frame(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    if ((void *)_Unwind_GetIP(context) == walk->from)
        return _URC_NO_REASON;
    void *function = _Unwind_FindEnclosingFunction((void *)_Unwind_GetIP(context));
    walk->met_other |= function == (void *)(uintptr_t)stop_and_go;
    walk->met_other |= function == (void *)(uintptr_t)walk_here;
    walk->met_stepper |= function == (void *)(uintptr_t)run_walks;
    return ++walk->frames < FRAMES_MAX ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

__attribute__((noinline)) static struct walk walk_now(const void *from)
{
    struct walk walk = {.from = from};
    walk.end = _Unwind_Backtrace(see_frame, &walk);
    return walk;
}

/* ---- Calls by which a stack is left, or not -------------------------------------------------- */

static int calls, arrivals;

static void count_call(void *argument)
{
    calls += *(const int *)argument;
}

static void count_arrivals(void *argument)
{
    (void)argument;
    for (;;) {
        arrivals++;
        filch__context_switch(&other_context, main_context);
    }
}

/* One instruction calls functions, and leaves the stack and comes back. */
static void test_call_or_leave(void **state)
{
    (void)state;
    int three = 3;
    calls = arrivals = 0;
    make_other(count_arrivals, NULL);
    for (int i = 0; i < 10; i++) {
        const bool leaves = i % 3 != 0;
        filch__context_call(leaves ? FILCH_CONTEXT_LEAVE : count_call,
                            leaves ? other_context : &three, &main_context);
        assert_int_equal(calls, (i / 3 + 1) * 3);
        assert_int_equal(arrivals, i - i / 3);
    }
}

static struct walk walk_from_other;

static void walk_here(void *argument)
{
    (void)argument;
    walk_from_other = walk_now(NULL);
    filch__context_switch(&other_context, main_context);
}

/* A walk from inside ends at the base, without an error and without leaving the stack. */
static void test_walk_ends_at_base(void **state)
{
    (void)state;
    make_other(walk_here, NULL);
    filch__context_switch(&main_context, other_context);
    assert_int_equal(walk_from_other.end, _URC_END_OF_STACK);
    assert_true(walk_from_other.met_other);
    assert_in_range(walk_from_other.frames, 3, 8);
}

/* Single steps through the switch, with a walk at each instruction. Only x86-64 lets a program step
 * itself, and tools that run the program in their own way do not. */
#if FILCH_CONTEXT_X86_64 && !UNDER_SANITIZER

#include <sys/ucontext.h>

enum { TRAP_FLAG = 0x100, LEFT = 8 /* bytes of a switch, until it is on the other stack */ };

/* Walks by where they led: to a base with nothing of ours above it, through stop_and_go, through
 * run_walks, or astray. */
enum { TO_BASE, TO_OTHER, TO_STEPPER, ASTRAY, WALK_KINDS };

static struct {
    int walks[WALK_KINDS];
    int frames[WALK_KINDS]; /* the length of the first walk of this kind: all are as long */
    int between; /* walks from what is on the other stack and still in the switch of the first */
} stepping;

static int kind_of_walk(const struct walk *walk)
{
    int kind = walk->met_other ? TO_OTHER : walk->met_stepper ? TO_STEPPER : TO_BASE;
    if (stepping.frames[kind] == 0)
        stepping.frames[kind] = walk->frames;
    bool sound = walk->end == _URC_END_OF_STACK && walk->frames == stepping.frames[kind];
    return sound && !(walk->met_other && walk->met_stepper) ? kind : ASTRAY;
}

/* The switch is part of the function that makes it; the frames of these two differ. */
__attribute__((noinline)) static void leave_main(void)
{
    filch__context_switch(&main_context, other_context);
}

__attribute__((noinline)) static void leave_main_by_call(void)
{
    filch__context_call(FILCH_CONTEXT_LEAVE, other_context, &main_context);
}

static void (*way_to_leave)(void);

__attribute__((noinline)) static void leave_other(void)
{
    volatile char room[200];
    room[0] = 0;
    filch__context_switch(&other_context, main_context);
    room[1] = room[0];
}

static bool is_switching(void *ip)
{
    void *function = _Unwind_FindEnclosingFunction((char *)ip + 1);
    return function == (void *)(uintptr_t)leave_main ||
           function == (void *)(uintptr_t)leave_main_by_call ||
           function == (void *)(uintptr_t)leave_other;
}

/* How many bytes of a switch have been run; 0: none. From the first push on, what it does to the stacks. */
static int bytes_done(const unsigned char *ip)
{
    static const unsigned char code[] = {0x51, 0x55,       /* push %rcx; push %rbp */
                                         0x48, 0x89, 0x27, /* mov %rsp, (%rdi) */
                                         0x48, 0x89, 0xf4, /* mov %rsi, %rsp */
                                         0x5d, 0x59, 0xff,
                                         0xe1}; /* pop %rbp; pop %rcx; jmp *%rcx */
    static const int starts[] = {1, 2, 5, LEFT, LEFT + 1, LEFT + 2};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (memcmp(ip - starts[i], code, sizeof code) == 0)
            return starts[i];
    }
    return 0;
}

/* The same of the function that is called to leave; -1: it is not that one. */
static int bytes_done_there(const unsigned char *ip)
{
    const unsigned char *first = (const unsigned char *)(uintptr_t)filch__context_leave;
    enum { BYTES = 11, SWITCHED = 7, MORE = LEFT - SWITCHED }; /* no push of the place to go on */
    return ip < first || ip >= first + BYTES ? -1 : (int)(ip - first) + MORE;
}

static void on_trap(int signal_number, siginfo_t *information, void *context)
{
    (void)signal_number;
    (void)information;
    const ucontext_t *interrupted = context;
    const unsigned char *ip = (const unsigned char *)interrupted->uc_mcontext.gregs[REG_RIP];
    int done = bytes_done_there(ip);
    if (done < 0 && !is_switching((void *)(uintptr_t)ip))
        return;
    if (done < 0)
        done = bytes_done(ip);
    struct walk walk = walk_now(ip);
    walk.frames -= done > 0; /* the place where the stack goes on comes next, as if it had called */
    stepping.between += done >= LEFT;
    stepping.walks[kind_of_walk(&walk)]++;
}

static inline void step_on(void)
{
    __asm__ volatile("pushfq; orq %0, (%%rsp); popfq" : : "i"(TRAP_FLAG) : "cc", "memory");
}

static inline void step_off(void)
{
    __asm__ volatile("pushfq; andq %0, (%%rsp); popfq" : : "i"(~TRAP_FLAG) : "cc", "memory");
}

__attribute__((noinline)) static void stop_and_go(void *argument)
{
    (void)argument;
    for (;;)
        leave_other();
}

__attribute__((noinline)) static void run_walks(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) { /* the first goes to a stack that has not run yet */
        step_on();
        way_to_leave();
        step_off();
    }
}

static void walk_at_each_instruction(void **state, void (*leave)(void))
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    struct sigaction before;
    assert_int_equal(sigaction(SIGTRAP, &action, &before), 0);
    memset(&stepping, 0, sizeof stepping);
    way_to_leave = leave;
    make_other(stop_and_go, NULL);
    run_walks(state);
    assert_int_equal(sigaction(SIGTRAP, &before, NULL), 0);
    /* Three times there and back, and each time three instructions in between. A stack that has not run yet
     * has a base and nothing of ours on it: that is what the first three lead to. */
    assert_int_equal(stepping.walks[ASTRAY], 0);
    assert_int_equal(stepping.between, 3 * 2 * 3);
    assert_int_equal(stepping.walks[TO_BASE], 3);
    assert_true(stepping.walks[TO_STEPPER] > 3 * 8);
    assert_true(stepping.walks[TO_OTHER] > 3 * 8);
    /* The handler, the signal's frame and the base; stop_and_go and its switch between them. */
    assert_int_equal(stepping.frames[TO_OTHER], stepping.frames[TO_BASE] + 2);
    assert_true(stepping.frames[TO_STEPPER] > stepping.frames[TO_OTHER]);
}

static void test_walk_at_each_instruction(void **state)
{
    if (RUNNING_ON_VALGRIND)
        skip();
    walk_at_each_instruction(state, leave_main);
    walk_at_each_instruction(state, leave_main_by_call);
}

#else

static void stop_and_go(void *argument)
{
    (void)argument;
}

static void run_walks(void **state)
{
    (void)state;
}

static void test_walk_at_each_instruction(void **state)
{
    run_walks(state);
    stop_and_go(NULL);
    skip();
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keeps_registers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fresh_stack, setup, teardown),
        cmocka_unit_test_setup_teardown(test_call_or_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(test_walk_ends_at_base, setup, teardown),
        cmocka_unit_test_setup_teardown(test_walk_at_each_instruction, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
