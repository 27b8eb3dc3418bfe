# SPDX-License-Identifier: Apache-2.0
# What the checks of this folder share: reading C files, and reporting every offence before failing.
cmake_policy(VERSION 3.25)

if(SOURCE_DIR)
    cmake_path(ABSOLUTE_PATH SOURCE_DIR)
endif()

# Reports an offence and goes on; conclude() fails if there was any.
function(offend text)
    message(NOTICE "${text}")
    set_property(GLOBAL APPEND PROPERTY offences "${text}")
endfunction()

# Ends a check that has looked at `count` things.
function(conclude count things)
    get_property(offences GLOBAL PROPERTY offences)
    if(offences)
        list(LENGTH offences number)
        message(FATAL_ERROR "${number} offences in ${count} ${things}")
    endif()
    message(STATUS "${count} ${things} looked at")
endfunction()

# The C, header and assembly files below the given folders of SOURCE_DIR, relative to it.
function(find_code output)
    set(found)
    foreach(folder IN LISTS ARGN)
        file(GLOB_RECURSE files RELATIVE ${SOURCE_DIR}
            ${SOURCE_DIR}/${folder}/*.[chS] ${SOURCE_DIR}/${folder}/*.h.in)
        list(APPEND found ${files})
    endforeach()
    if(NOT found)
        message(FATAL_ERROR "no code below ${SOURCE_DIR}: wrong SOURCE_DIR?")
    endif()
    set(${output} ${found} PARENT_SCOPE)
endfunction()

# Reads a file without its comments. Characters that mean something to CMake's lists become harmless
# ones, so that the text can be matched and split.
function(read_code output file)
    file(READ ${SOURCE_DIR}/${file} text)
    string(REGEX REPLACE "[][;\\\\]" " " text "${text}")
    # A comment: no "*/" within, which this engine can only say character by character.
    string(REGEX REPLACE "/[*]([^*]|[*]+[^*/])*[*]+/" " " text "${text}")
    string(REGEX REPLACE "//[^\n]*" " " text "${text}")
    set(${output} "${text}" PARENT_SCOPE)
endfunction()
