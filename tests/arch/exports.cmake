# SPDX-License-Identifier: Apache-2.0
# The shared library exports what exports.txt lists, no more and no less; and every name begins with
# filch_. A change of that file is a change of the binary interface.
#
#   needs  SOURCE_DIR  the root of the project
#          LIBRARY     libfilch.so
#          NM
include(${CMAKE_CURRENT_LIST_DIR}/code.cmake)

execute_process(COMMAND ${NM} -D --defined-only ${LIBRARY} OUTPUT_VARIABLE text
    COMMAND_ERROR_IS_FATAL ANY)
# "00000000000011f9 T filch_now_ns@@FILCH_0.1"; the version itself is an absolute symbol (A).
string(REGEX MATCHALL "[0-9a-f]+ [B-Zb-z] [^ \n]+" lines "${text}")
set(exported)
foreach(line IN LISTS lines)
    string(REGEX REPLACE "^[0-9a-f]+ [A-Za-z] ([^@]+).*$" "\\1" symbol "${line}")
    list(APPEND exported ${symbol})
    if(NOT symbol MATCHES "^filch_")
        offend("${symbol}: exported, but does not begin with filch_")
    endif()
endforeach()

file(STRINGS ${SOURCE_DIR}/tests/arch/exports.txt expected REGEX "^[^#]")
foreach(symbol IN LISTS exported)
    if(NOT symbol IN_LIST expected)
        offend("${symbol}: exported, but not in exports.txt")
    endif()
endforeach()
foreach(symbol IN LISTS expected)
    if(NOT symbol IN_LIST exported)
        offend("${symbol}: in exports.txt, but not exported")
    endif()
endforeach()
list(LENGTH exported count)
conclude(${count} symbols)
