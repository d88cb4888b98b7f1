# SPDX-License-Identifier: Apache-2.0
# The CUDA backend, extension _cuda: optional, linked to cuBLAS and the static CUDA runtime.
# cuBLAS comes from the toolkit or from the nvidia-cublas wheel. With
# FISHER_SELECT_CUDA_EMULATION the CPU runs its kernels, for tests (tests/emulation).
set(FISHER_SELECT_CUDA AUTO CACHE STRING
    "The CUDA backend: AUTO (built where nvcc and cuBLAS are found), ON or OFF")
set_property(CACHE FISHER_SELECT_CUDA PROPERTY STRINGS AUTO ON OFF)
option(FISHER_SELECT_CUDA_EMULATION "Build _cuda for tests: the CPU emulates CUDA" OFF)

set(FISHER_SELECT_CUDA_SOURCES
    csrc/cuda/determinant.cu
    csrc/cuda/device.cu
    csrc/cuda/directions.cu
    csrc/cuda/distance.cu
    csrc/cuda/embedding.cu
    csrc/cuda/exact.cu
    csrc/cuda/exact_distance.cu
    csrc/cuda/exact_step.cu
    csrc/cuda/first_center.cu
    csrc/cuda/fisher.cu
    csrc/cuda/information.cu
    csrc/cuda/information_gain.cu
    csrc/cuda/information_gain_kernels.cu
    csrc/cuda/information_gain_rows.cu
    csrc/cuda/information_picker.cu
    csrc/cuda/largest_entry.cu
    csrc/cuda/leaders.cu
    csrc/cuda/linear_algebra.cu
    csrc/cuda/mask.cu
    csrc/cuda/mean_distance.cu
    csrc/cuda/pool_kernels.cu
    csrc/cuda/pool_rows.cu
    csrc/cuda/pool_state.cu
    csrc/cuda/top_k.cu
    csrc/cuda/validation.cu)

# Without nvcc's word the oldest and the newest architecture that are common, and PTX for what
# comes after.
set(FISHER_SELECT_CUDA_ARCHITECTURES 80-real 90-real 90-virtual)

# find_cublas_wheel(FOLDER MAJOR): where the nvidia-cublas wheel of this Python lies, or nothing.
# Asked of the file system: an isolated build does not see the packages of the environment it is
# for. The folder is nvidia/cu13 or, for CUDA 12, nvidia/cublas.
function(find_cublas_wheel folder major)
    execute_process(
        COMMAND "${Python_EXECUTABLE}" -c "
import pathlib, sys, sysconfig
places = [*sys.path, sysconfig.get_path('purelib'), sysconfig.get_path('platlib')]
for place in map(pathlib.Path, places):
    for library in place.glob('nvidia/*/lib/libcublas.so.${major}'):
        print(library.parents[1].as_posix())
"
        OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX REPLACE "\n.*" "" found "${found}")
    set(${folder} "${found}" PARENT_SCOPE)
endfunction()

# find_cublas(MISSING): target fisher_cublas, or the reason why there is none.
function(find_cublas missing)
    set(major ${CUDAToolkit_VERSION_MAJOR})
    find_cublas_wheel(wheel ${major})
    find_path(FISHER_SELECT_CUBLAS_INCLUDE cublas_v2.h
        HINTS ${CUDAToolkit_INCLUDE_DIRS} "${wheel}/include" NO_DEFAULT_PATH)
    find_library(FISHER_SELECT_CUBLAS_LIBRARY NAMES cublas libcublas.so.${major}
        HINTS "${CUDAToolkit_LIBRARY_DIR}" "${wheel}/lib" NO_DEFAULT_PATH)
    mark_as_advanced(FISHER_SELECT_CUBLAS_INCLUDE FISHER_SELECT_CUBLAS_LIBRARY)
    if(NOT FISHER_SELECT_CUBLAS_INCLUDE OR NOT FISHER_SELECT_CUBLAS_LIBRARY)
        set(${missing} "cuBLAS was not found: neither in ${CUDAToolkit_LIBRARY_DIR} nor as the \
wheel nvidia-cublas of ${Python_EXECUTABLE}" PARENT_SCOPE)
        return()
    endif()
    file(STRINGS "${FISHER_SELECT_CUBLAS_INCLUDE}/cublas_api.h" version
        REGEX "define CUBLAS_VER_MAJOR ")
    string(REGEX REPLACE "[^0-9]" "" version "${version}")
    if(NOT version EQUAL major)
        set(${missing} "cuBLAS ${version} in ${FISHER_SELECT_CUBLAS_INCLUDE} does not fit \
CUDA ${major}" PARENT_SCOPE)
        return()
    endif()
    add_library(fisher_cublas INTERFACE)
    target_include_directories(fisher_cublas SYSTEM INTERFACE "${FISHER_SELECT_CUBLAS_INCLUDE}")
    target_link_libraries(fisher_cublas INTERFACE "${FISHER_SELECT_CUBLAS_LIBRARY}")
    set(${missing} "" PARENT_SCOPE)
endfunction()

# find_cuda(MISSING): nvcc, the runtime and cuBLAS, or the reason why they cannot be used. A
# macro: what it finds out about the toolkit is for the whole directory.
macro(find_cuda missing)
    set(${missing} "")
    find_package(CUDAToolkit QUIET)
    if(NOT CUDAToolkit_FOUND OR NOT CUDAToolkit_NVCC_EXECUTABLE)
        set(${missing} "no CUDA toolkit with nvcc was found")
    elseif(NOT TARGET CUDA::cudart_static)
        set(${missing} "the CUDA toolkit in ${CUDAToolkit_LIBRARY_DIR} lacks cudart_static")
    else()
        find_cublas(${missing})
    endif()
    if(${missing} STREQUAL "")
        if(NOT DEFINED ENV{CUDACXX})  # it need not be on the PATH
            set(ENV{CUDACXX} "${CUDAToolkit_NVCC_EXECUTABLE}")
        endif()
        include(CheckLanguage)
        check_language(CUDA)
        if(NOT CMAKE_CUDA_COMPILER)
            set(${missing} "nvcc (${CUDAToolkit_NVCC_EXECUTABLE}) compiles nothing here")
        endif()
    endif()
endmacro()

# What both builds of _cuda share: host code, bindings, installation.
function(add_cuda_module)
    pybind11_add_module(_cuda MODULE NO_EXTRAS
        ${FISHER_SELECT_CUDA_SOURCES}
        ${ARGN}
        csrc/factors.cpp
        csrc/subspace.cpp
        bindings/callbacks.cpp
        bindings/cuda_distance.cpp
        bindings/cuda_fisher.cpp
        bindings/cuda_information_gain.cpp
        bindings/cuda_mask.cpp
        bindings/cuda_mean_distance.cpp
        bindings/cuda_memory.cpp
        bindings/cuda_module.cpp
        bindings/cuda_validation.cpp
        bindings/errors.cpp)
    target_include_directories(_cuda PRIVATE csrc)
    target_link_libraries(_cuda PRIVATE fisher_options)
    install(TARGETS _cuda LIBRARY DESTINATION fisher_select)
endfunction()

function(add_emulated_cuda_module)
    file(GLOB emulation CONFIGURE_DEPENDS tests/emulation/*.cpp)
    add_cuda_module(${emulation} tests/emulation/python/hooks.cpp)
    set_source_files_properties(${FISHER_SELECT_CUDA_SOURCES} PROPERTIES
        LANGUAGE CXX COMPILE_OPTIONS "-xc++")
    target_include_directories(_cuda BEFORE PRIVATE tests/emulation)
    target_compile_definitions(_cuda PRIVATE FS_CUDA_EMULATED)
    target_link_libraries(_cuda PRIVATE ${CMAKE_DL_LIBS})
endfunction()

function(add_real_cuda_module)
    add_cuda_module()
    target_link_libraries(_cuda PRIVATE fisher_cublas CUDA::cudart_static)
    target_compile_options(_cuda PRIVATE
        $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>
        $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${FISHER_SELECT_WERROR}>>:--Werror=all-warnings>
        $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${FISHER_SELECT_WERROR}>>:-Xcompiler=-Werror>)
    # Where the nvidia-cublas wheel lies beside this package. Elsewhere the loader looks as
    # usual, and fisher_select/backends.py before it: no path of the build machine stays.
    set_target_properties(_cuda PROPERTIES
        CUDA_RUNTIME_LIBRARY Static
        BUILD_WITH_INSTALL_RPATH ON
        INSTALL_RPATH "$ORIGIN/../nvidia/cu${CUDAToolkit_VERSION_MAJOR}/lib")
endfunction()

if(FISHER_SELECT_CUDA_EMULATION)
    add_emulated_cuda_module()
    message(STATUS "CUDA backend: emulated on the CPU, for tests")
elseif(FISHER_SELECT_CUDA)  # AUTO counts as true
    find_cuda(missing)
    if(missing STREQUAL "")
        if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
            set(CMAKE_CUDA_ARCHITECTURES ${FISHER_SELECT_CUDA_ARCHITECTURES})
        endif()
        set(CMAKE_CUDA_STANDARD 20)
        set(CMAKE_CUDA_STANDARD_REQUIRED ON)
        set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
        enable_language(CUDA)
        add_real_cuda_module()
        message(STATUS "CUDA backend: built with nvcc ${CMAKE_CUDA_COMPILER_VERSION} and "
            "${FISHER_SELECT_CUBLAS_LIBRARY}")
    elseif(FISHER_SELECT_CUDA STREQUAL "AUTO")
        message(STATUS "CUDA backend: not built; ${missing}")
    else()
        message(FATAL_ERROR "FISHER_SELECT_CUDA=${FISHER_SELECT_CUDA}, but ${missing}")
    endif()
else()
    message(STATUS "CUDA backend: not built; FISHER_SELECT_CUDA=OFF")
endif()
