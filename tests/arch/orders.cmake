# SPDX-License-Identifier: Apache-2.0
# Every atomic access goes through the macros of filch/inline/atomic.h; every label that one names
# has a row in an ordering table, and every row is about labels that the code has.
#
#   needs  SOURCE_DIR  the root of the project
#
# The ordering tables are tables of the README of a layer; a label is written in backticks there:
# `LK_unlock`.
include(${CMAKE_CURRENT_LIST_DIR}/code.cmake)

set(macros_file include/filch/inline/atomic.h)
set(label_pattern "[A-Z][A-Z0-9]+_[a-z][a-z0-9_]*")
set(order_pattern "(relaxed|acquire|release|acq_rel|seq_cst)")
set(bare_pattern
    "(__atomic_|__sync_[a-z]+_and_|__sync_synchronize|_Atomic|stdatomic|[^A-Za-z0-9_]atomic_)[a-z_]*")

# The labels that the files below some folders name; complains of accesses without one.
function(labels_in_code output)
    set(labels)
    find_code(files ${ARGN})
    list(REMOVE_ITEM files ${macros_file})
    foreach(file IN LISTS files)
        read_code(text ${file})
        string(REGEX MATCHALL "${bare_pattern}" bare "${text}")
        if(bare)
            offend("${file}: atomic access without the macros of ${macros_file}: ${bare}")
        endif()
        string(REGEX MATCHALL "FILCH_(LOAD|STORE|EXCHANGE|CAS|FETCH_(ADD|SUB|OR|AND))[ \t\n]*[(]"
            accesses "${text}")
        string(REGEX MATCHALL ",[ \t\n]*${label_pattern}[ \t\n]*,[ \t\n]*${order_pattern}[ \t\n]*[)]"
            labelled "${text}")
        list(LENGTH accesses access_count)
        list(LENGTH labelled label_count)
        if(NOT access_count EQUAL label_count)
            offend("${file}: ${access_count} atomic accesses, but ${label_count} labels with an order")
        endif()
        foreach(end IN LISTS labelled)
            string(REGEX MATCH "${label_pattern}" label "${end}")
            list(APPEND labels ${label})
        endforeach()
    endforeach()
    list(REMOVE_DUPLICATES labels)
    set(${output} ${labels} PARENT_SCOPE)
endfunction()

# The labels that have a row in a table of a README.
function(labels_in_tables output readme)
    set(text "")
    if(EXISTS ${SOURCE_DIR}/${readme})
        file(READ ${SOURCE_DIR}/${readme} text)
    endif()
    string(REGEX REPLACE "[][;\\\\]" " " text "\n${text}")
    string(REGEX MATCHALL "\n[ \t]*[|][^\n]*" rows "${text}")
    string(REGEX MATCHALL "`${label_pattern}`" labels "${rows}")
    string(REPLACE "`" "" labels "${labels}")
    list(REMOVE_DUPLICATES labels)
    set(${output} ${labels} PARENT_SCOPE)
endfunction()

set(all_labels)
set(all_rows)
foreach(layer IN ITEMS primitives pool scope)
    set(readme src/${layer}/README.md)
    labels_in_code(labels src/${layer})
    labels_in_tables(rows ${readme})
    list(APPEND all_labels ${labels})
    list(APPEND all_rows ${rows})
    # A layer may take part in a protocol of a layer below, and that one's README has the row.
    foreach(label IN LISTS labels)
        if(NOT label IN_LIST all_rows)
            offend("${label}: used in src/${layer}, has no row in a table of ${readme}")
        endif()
    endforeach()
endforeach()

# The inline code of the public headers belongs to one of the layers, whose README lists it.
labels_in_code(labels include)
foreach(label IN LISTS labels)
    if(NOT label IN_LIST all_rows)
        offend("${label}: used in include/, has no row in a table of the README of any layer")
    endif()
endforeach()
list(APPEND all_labels ${labels})

foreach(label IN LISTS all_rows)
    if(NOT label IN_LIST all_labels)
        offend("${label}: has a row in the README of a layer, but is not in the code")
    endif()
endforeach()
list(LENGTH all_labels count)
conclude(${count} labels)
