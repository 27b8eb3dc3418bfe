# SPDX-License-Identifier: Apache-2.0
# FILCH_SANITIZE, for whatever is compiled or linked in this build tree. A finding ends the program:
# a test that goes on after one could still pass.
function(filch_enable_sanitizers target)
    if(FILCH_SANITIZE)
        target_compile_options(${target} INTERFACE
            -fsanitize=${FILCH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_link_options(${target} INTERFACE -fsanitize=${FILCH_SANITIZE})
    endif()
endfunction()
