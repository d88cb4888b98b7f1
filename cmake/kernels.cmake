# SPDX-License-Identifier: Apache-2.0
# The inner loops once per instruction set. The choice among them is made at run time
# (csrc/cpu/dispatch.cpp), so the build never depends on the machine that runs it.

# add_kernels(TARGET SOURCE...): the sources' objects, every set of them, join the target.
function(add_kernels target)
    set(sets baseline)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
        list(APPEND sets avx2 avx512)
        target_compile_definitions(${target} PRIVATE FS_X86_KERNELS)
    endif()
    set(flags_baseline "")
    set(flags_avx2 -march=x86-64-v3)
    set(flags_avx512 -march=x86-64-v4 -mprefer-vector-width=512)
    foreach(set IN LISTS sets)
        set(kernels ${target}_${set})
        add_library(${kernels} OBJECT ${ARGN})
        target_include_directories(${kernels} PRIVATE csrc)
        target_link_libraries(${kernels} PRIVATE fisher_options)
        target_compile_definitions(${kernels} PRIVATE FS_INSTRUCTION_SET=${set})
        # No errno: a square root is then one instruction. psabi: no vector crosses a call.
        target_compile_options(${kernels} PRIVATE
            ${flags_${set}} -O3 -fno-math-errno -ffp-contract=fast -Wno-psabi)
        target_sources(${target} PRIVATE $<TARGET_OBJECTS:${kernels}>)
    endforeach()
endfunction()
