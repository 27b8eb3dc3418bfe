# SPDX-License-Identifier: Apache-2.0
# Removes what the last `cmake --install` of a build has put in place, and the folders of filch that
# are empty then. As at the installation, DESTDIR stands before every path.
#
#   needs  MANIFEST  the list of files that `cmake --install` has left in the build
cmake_policy(VERSION 3.25)

if(NOT EXISTS ${MANIFEST})
    message(FATAL_ERROR "${MANIFEST} is not there: nothing has been installed from this build")
endif()

set(folders)
file(STRINGS ${MANIFEST} files)
foreach(file IN LISTS files)
    set(file $ENV{DESTDIR}${file})
    message(STATUS "Removing: ${file}")
    file(REMOVE ${file})
    cmake_path(GET file PARENT_PATH folder)
    list(APPEND folders ${folder})
endforeach()

list(REMOVE_DUPLICATES folders)
list(SORT folders ORDER DESCENDING) # what lies within comes first
foreach(folder IN LISTS folders)
    file(GLOB left ${folder}/*)
    if(folder MATCHES "/filch(/|$)" AND NOT left)
        file(REMOVE_RECURSE ${folder})
    endif()
endforeach()
