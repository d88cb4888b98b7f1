# SPDX-License-Identifier: Apache-2.0
# fisher_options: what every target of this project is compiled with (warnings, sanitizers).
# Kept out of it on purpose: anything that ties a build to its machine or loosens IEEE
# arithmetic. Instruction sets are chosen at run time (cmake/kernels.cmake).
add_library(fisher_options INTERFACE)

target_compile_options(fisher_options INTERFACE
    $<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang,AppleClang>:-Wall;-Wextra;-Wconversion;-Wshadow>)

if(FISHER_SELECT_WERROR)
    target_compile_options(fisher_options INTERFACE
        $<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang,AppleClang>:-Werror>)
endif()

# FISHER_SELECT_SANITIZE=address,undefined: the interpreter is not instrumented, so the runtime
# has to be preloaded (`nox -s sanitize` does it). A finding ends the process: a report that
# scrolls past fails nothing.
if(FISHER_SELECT_SANITIZE)
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
        message(FATAL_ERROR "FISHER_SELECT_SANITIZE needs GCC or Clang, "
            "got ${CMAKE_CXX_COMPILER_ID}")
    endif()
    target_compile_options(fisher_options INTERFACE
        -fsanitize=${FISHER_SELECT_SANITIZE}
        -fno-sanitize-recover=undefined
        -fno-omit-frame-pointer
        -g
        -O1)
    target_link_options(fisher_options INTERFACE -fsanitize=${FISHER_SELECT_SANITIZE})
endif()
