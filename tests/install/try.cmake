# SPDX-License-Identifier: Apache-2.0
# Installs the build in BUILD_DIR below WORK_DIR and builds the project in consumer/ against it, the
# WAY being find_package, pkg_config or subdirectory; runs what was built, and uninstalls.
cmake_policy(VERSION 3.25)

function(run)
    execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${WORK_DIR} RESULT_VARIABLE result
        OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "${command}\n${output}\nended with ${result}")
    endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
file(MAKE_DIRECTORY ${WORK_DIR})
set(prefix ${WORK_DIR}/prefix)
if(NOT WAY STREQUAL subdirectory)
    run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix})
endif()

if(WAY STREQUAL pkg_config)
    # The build was configured for another prefix: filch.pc finds its own.
    set(ENV{PKG_CONFIG_PATH} ${prefix}/${LIBDIR}/pkgconfig)
    execute_process(COMMAND pkg-config --cflags --libs filch
        OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    separate_arguments(flags UNIX_COMMAND "${flags}")
    separate_arguments(c_flags UNIX_COMMAND "${C_FLAGS}")
    run(${C_COMPILER} -std=c11 ${c_flags} -o ${WORK_DIR}/consumer
        ${CMAKE_CURRENT_LIST_DIR}/consumer/main.c ${flags})
    set(ENV{LD_LIBRARY_PATH} ${prefix}/${LIBDIR})
    run(${WORK_DIR}/consumer)
else()
    run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${WORK_DIR}/build
        -G ${GENERATOR} -DCMAKE_C_COMPILER=${C_COMPILER} -DCMAKE_C_FLAGS=${C_FLAGS}
        -DFILCH_WAY=${WAY} -DFILCH_SOURCE_DIR=${SOURCE_DIR} -DCMAKE_PREFIX_PATH=${prefix})
    run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
    run(${WORK_DIR}/build/consumer)
    run(${WORK_DIR}/build/consumer_static)
endif()
if(NOT WAY STREQUAL subdirectory)
    run(${CMAKE_COMMAND} -DMANIFEST=${BUILD_DIR}/install_manifest.txt
        -P ${SOURCE_DIR}/cmake/uninstall.cmake)
    file(GLOB_RECURSE left ${prefix}/*)
    if(left OR EXISTS ${prefix}/include/filch)
        message(FATAL_ERROR "still there after uninstalling: ${left}")
    endif()
endif()
file(REMOVE_RECURSE ${WORK_DIR})
