# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: headers, both libraries, the CMake package, filch.pc.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/filch)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/filch ${PROJECT_BINARY_DIR}/include/filch
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")

# Two export sets, because only users of the static library need to find hwloc.
install(TARGETS filch EXPORT filchTargets)
install(TARGETS filch_static EXPORT filchStaticTargets)
install(EXPORT filchTargets NAMESPACE filch:: DESTINATION ${package_dir})
install(EXPORT filchStaticTargets NAMESPACE filch:: DESTINATION ${package_dir})

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/filchConfig.cmake.in
    ${PROJECT_BINARY_DIR}/filchConfig.cmake
    INSTALL_DESTINATION ${package_dir}
    NO_SET_AND_CHECK_MACRO)
# Before 1.0 each minor version may break the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/filchConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/filchConfig.cmake ${PROJECT_BINARY_DIR}/filchConfigVersion.cmake
    DESTINATION ${package_dir})

# filch-uninstalled.pc is what pkg-config prefers while PKG_CONFIG_PATH leads to the build tree.
function(filch_write_pc output prefix libdir cflags)
    configure_file(${PROJECT_SOURCE_DIR}/cmake/filch.pc.in ${output} @ONLY)
endfunction()

cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE pc_libdir)
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_INCLUDEDIR BASE_DIRECTORY "\${prefix}"
    OUTPUT_VARIABLE pc_includedir)
filch_write_pc(${PROJECT_BINARY_DIR}/filch.pc
    ${CMAKE_INSTALL_PREFIX} ${pc_libdir} "-I${pc_includedir}")
filch_write_pc(${PROJECT_BINARY_DIR}/filch-uninstalled.pc
    ${PROJECT_BINARY_DIR} "\${prefix}/src"
    "-I${PROJECT_SOURCE_DIR}/include -I\${prefix}/include")
install(FILES ${PROJECT_BINARY_DIR}/filch.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
