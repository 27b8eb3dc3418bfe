# SPDX-License-Identifier: Apache-2.0
# Looks into the objects: whatever sleeps, allocates, maps or starts a thread is called by the one
# file that may do it, so that no wait escapes the blocking point and no failure the tests that
# inject one.
#
#   needs  OBJECTS  a file with the path of an object in each line
#          NM, OBJDUMP
include(${CMAKE_CURRENT_LIST_DIR}/code.cmake)

# A rule: the symbols that match a pattern may be undefined only in objects whose names match another
# (nothing matches "nowhere").
set(rules)
macro(only_in object_pattern symbol_pattern)
    list(APPEND rules "${object_pattern} ${symbol_pattern}")
endmacro()

only_in("syscalls_linux[.]c" "syscall")
only_in("os_linux[.]c"
    "(malloc|calloc|realloc|free|posix_memalign|aligned_alloc|mmap|mmap64|munmap|madvise|mprotect)")
only_in("os_linux[.]c" "pthread_(create|join)")
only_in("(os_linux|clock)[.]c" "clock_gettime")
only_in("topology[.]c" "hwloc_.*")
only_in("env[.]c" "(secure_)?getenv")
only_in("thread[.]c" "pthread_detach")
only_in("context_ucontext[.]c" "(swapcontext|getcontext|setcontext|makecontext)")
only_in("nowhere" "pthread_(cond|mutex|rwlock|barrier|spin)_.*")
only_in("nowhere" "(sem|mtx|cnd|thrd)_.*")
only_in("nowhere" "(nanosleep|clock_nanosleep|usleep|sleep|pause|sigsuspend)")
only_in("nowhere" "(poll|ppoll|select|pselect|epoll_.*)")
only_in("os_linux[.]c" "(sched_yield|pthread_yield)")
only_in("panic[.]c" "exit")
only_in("overflow[.]c" "(sigaction|sigaltstack)")
only_in("nowhere" "(printf|puts|putchar|perror|fopen|signal|setenv|putenv)")

function(check_object object)
    execute_process(COMMAND ${NM} -u ${object} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "[A-Za-z_][A-Za-z0-9_@.]*\n" symbols "${text}")
    cmake_path(GET object FILENAME name)
    foreach(symbol IN LISTS symbols)
        string(REGEX REPLACE "(@.*)?\n" "" symbol "${symbol}")
        foreach(rule IN LISTS rules)
            string(REPLACE " " ";" rule "${rule}")
            list(GET rule 0 allowed)
            list(GET rule 1 pattern)
            if(symbol MATCHES "^${pattern}$" AND NOT name MATCHES "^${allowed}")
                offend("${name}: calls ${symbol}")
            endif()
        endforeach()
    endforeach()
endfunction()

# A sequentially consistent access on x86 is an exchange; `mfence` costs several times as much and
# comes from a fence, which ThreadSanitizer does not understand either.
function(check_instructions object)
    execute_process(COMMAND ${OBJDUMP} -d --no-show-raw-insn ${object} OUTPUT_VARIABLE text
        COMMAND_ERROR_IS_FATAL ANY)
    if(text MATCHES "[ \t]mfence")
        cmake_path(GET object FILENAME name)
        offend("${name}: executes mfence")
    endif()
endfunction()

file(STRINGS ${OBJECTS} objects)
if(NOT objects)
    message(FATAL_ERROR "${OBJECTS} names no object")
endif()
foreach(object IN LISTS objects)
    check_object(${object})
    check_instructions(${object})
endforeach()
list(LENGTH objects count)
conclude(${count} objects)
