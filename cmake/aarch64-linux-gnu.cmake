# SPDX-License-Identifier: Apache-2.0
# Builds for 64-bit ARM with Debian's cross compiler (gcc-aarch64-linux-gnu) and runs the result
# under qemu-user. The ARM builds of hwloc and CMocka lie below build/aarch64-root, where
# `tests/run aarch64` unpacks them, or in the system where it has arm64 as a foreign architecture.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(filch_root ${CMAKE_CURRENT_LIST_DIR}/../build/aarch64-root)
cmake_path(NORMAL_PATH filch_root)
if(NOT IS_DIRECTORY ${filch_root})
    set(filch_root "")
endif()
set(filch_libraries ${filch_root}/usr/lib/aarch64-linux-gnu)

set(ENV{PKG_CONFIG_SYSROOT_DIR} "${filch_root}")
set(ENV{PKG_CONFIG_LIBDIR} "${filch_libraries}/pkgconfig")
set(CMAKE_FIND_ROOT_PATH ${filch_root} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_C_FLAGS_INIT "-isystem ${filch_root}/usr/include/aarch64-linux-gnu")
# hwloc itself needs libudev, which is found only at run time.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${filch_libraries}")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-Wl,-rpath-link,${filch_libraries}")

set(CMAKE_CROSSCOMPILING_EMULATOR
    qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH=${filch_libraries})
