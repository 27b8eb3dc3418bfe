# SPDX-License-Identifier: Apache-2.0
# A file that is compiled without -fexceptions: what would leave something behind when a panic passes
# does not compile and says why; everything else does.
#
#   needs  COMPILER   a C compiler, gcc or clang
#          INCLUDES   folders of headers, separated by |
#          WORK_DIR   to write into
cmake_policy(VERSION 3.25)

string(REPLACE "|" ";" folders "${INCLUDES}")
list(TRANSFORM folders PREPEND -I)
file(MAKE_DIRECTORY ${WORK_DIR})

function(try_code output_variable result_variable code)
    file(WRITE ${WORK_DIR}/user.c "#include <filch/filch.h>\n${code}\n")
    execute_process(COMMAND ${COMPILER} -std=c11 -fno-exceptions -fsyntax-only ${folders} user.c
        WORKING_DIRECTORY ${WORK_DIR} RESULT_VARIABLE result
        OUTPUT_VARIABLE output ERROR_VARIABLE output)
    set(${output_variable} "${output}" PARENT_SCOPE)
    set(${result_variable} ${result} PARENT_SCOPE)
endfunction()

# The code makes one error, which names the option.
function(expect_refused code)
    try_code(output result "${code}")
    string(REGEX MATCHALL "error: " errors "${output}")
    list(LENGTH errors count)
    if(result EQUAL 0 OR NOT output MATCHES "needs? -fexceptions" OR NOT count EQUAL 1)
        message(FATAL_ERROR "${code}\nshould make one error that names -fexceptions:\n${output}")
    endif()
endfunction()

expect_refused("int f(void) { FILCH_SCOPE(s) { return filch_scope_spawn(s, 0, 0); } return 0; }")
expect_refused("void *g(void *x);\nint f(void) { FILCH_THREAD_SCOPE(s)\n\
    { return filch_thread_scope_spawn(s, 0, 0, g, 0); } return 0; }")
expect_refused("void f(struct filch_mutex *m) { FILCH_LOCK_GUARD(m); }")
expect_refused("void f(struct filch_rwlock *l) { FILCH_READ_GUARD(l); }")
expect_refused("void f(struct filch_rwlock *l) { FILCH_WRITE_GUARD(l); }")
expect_refused("long f(long n);\nFILCH_FORKABLE(long, f, long)")
expect_refused("void f(long n);\nFILCH_FORKABLE_VOID(f, long)")
expect_refused("void f(void) { FILCH_TASK_SET_GUARD(s); }")
expect_refused("void f(void) { FILCH_STDOUT_LOCK { (void)filch_print(\"line\"); } }")

try_code(output result "\
    void f(void *x) { (void)x; filch_panic(\"%d\", 1); }\n\
    void b(struct filch_scope *s, void *x) { (void)filch_scope_spawn(s, f, x); }\n\
    void l(size_t i, size_t k, void *x) { (void)i; (void)k; (void)x; }\n\
    int g(struct filch_mutex *m) {\n\
        filch_join(f, 0, f, 0);\n\
        (void)filch_for(0, 1, l, 0);\n\
        if (filch_mutex_lock(m) == 0) filch_mutex_unlock(m);\n\
        return filch_scope_run(b, 0) + filch_catch_unwind(f, 0, 0);\n\
    }")
if(NOT result EQUAL 0)
    message(FATAL_ERROR "the functions should compile without -fexceptions:\n${output}")
endif()
