# SPDX-License-Identifier: Apache-2.0
# The warnings that every file of the project is free of, with gcc and with clang.
set(FILCH_WARNINGS
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Wvla -Wcast-qual -Wwrite-strings
    -Wimplicit-fallthrough)
set(FILCH_C_WARNINGS -Wstrict-prototypes -Wmissing-prototypes)

# filch_enable_warnings(TARGET SCOPE): SCOPE is PRIVATE, or INTERFACE for an interface library.
function(filch_enable_warnings target scope)
    set(flags ${FILCH_WARNINGS})
    if(FILCH_WERROR)
        list(APPEND flags -Werror)
    endif()
    target_compile_options(${target} ${scope}
        "$<$<COMPILE_LANGUAGE:C,CXX>:${flags}>"
        "$<$<COMPILE_LANGUAGE:C>:${FILCH_C_WARNINGS}>")
endfunction()
