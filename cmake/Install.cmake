# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: headers, both libraries, the CMake package, filch.pc, and the
# licence. Packagers take it apart by the components filch_runtime and filch_development.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/filch)
set(development COMPONENT filch_development)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/filch ${PROJECT_BINARY_DIR}/include/filch
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} ${development}
    FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE
    DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT filch_runtime)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md
    DESTINATION ${CMAKE_INSTALL_DOCDIR} ${development})

# Two export sets, because only users of the static library need to find hwloc.
install(TARGETS filch EXPORT filchTargets
    LIBRARY COMPONENT filch_runtime NAMELINK_COMPONENT filch_development)
install(TARGETS filch_static EXPORT filchStaticTargets ARCHIVE ${development})
install(EXPORT filchTargets NAMESPACE filch:: DESTINATION ${package_dir} ${development})
install(EXPORT filchStaticTargets NAMESPACE filch:: DESTINATION ${package_dir} ${development})

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/filchConfig.cmake.in
    ${PROJECT_BINARY_DIR}/filchConfig.cmake
    INSTALL_DESTINATION ${package_dir}
    NO_SET_AND_CHECK_MACRO)
# Before 1.0 each minor version may break the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/filchConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/filchConfig.cmake ${PROJECT_BINARY_DIR}/filchConfigVersion.cmake
    DESTINATION ${package_dir} ${development})

# filch-uninstalled.pc is what pkg-config prefers while PKG_CONFIG_PATH leads to the build tree.
function(filch_write_pc output prefix libdir cflags)
    configure_file(${PROJECT_SOURCE_DIR}/cmake/filch.pc.in ${output} @ONLY)
endfunction()

# The prefix as seen from filch.pc, so that `cmake --install --prefix` may choose another one and an
# installation can be moved.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(pc_prefix ${CMAKE_INSTALL_PREFIX})
else()
    file(RELATIVE_PATH pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
    string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${pc_prefix}")
endif()
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE pc_libdir)
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_INCLUDEDIR BASE_DIRECTORY "\${prefix}"
    OUTPUT_VARIABLE pc_includedir)
filch_write_pc(${PROJECT_BINARY_DIR}/filch.pc ${pc_prefix} ${pc_libdir} "-I${pc_includedir}")
filch_write_pc(${PROJECT_BINARY_DIR}/filch-uninstalled.pc
    ${PROJECT_BINARY_DIR} "\${prefix}/src"
    "-I${PROJECT_SOURCE_DIR}/include -I\${prefix}/include")
install(FILES ${PROJECT_BINARY_DIR}/filch.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig ${development})

if(PROJECT_IS_TOP_LEVEL)
    add_custom_target(uninstall
        COMMAND ${CMAKE_COMMAND} -DMANIFEST=${PROJECT_BINARY_DIR}/install_manifest.txt
            -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake
        VERBATIM)
endif()
