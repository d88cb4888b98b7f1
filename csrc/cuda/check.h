// SPDX-License-Identifier: Apache-2.0
// Every CUDA and cuBLAS call is checked; an error says what was asked, where, and why it
// failed.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <source_location>
#include <stdexcept>
#include <string>

namespace fisher_select::cuda {

/// The device, its driver or a library of it failed: neither the caller's fault nor arithmetic.
struct DeviceError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn]] inline void fail(const char* asked, const std::string& reason,
                              const std::source_location& where) {
    const std::string file = where.file_name();
    throw DeviceError(std::string("CUDA could not ") + asked + ": " + reason + " (" +
                      file.substr(file.find_last_of('/') + 1) + ":" +
                      std::to_string(where.line()) + ")");
}

/// `asked` completes the sentence "CUDA could not ...".
inline void check(cudaError_t status, const char* asked,
                  const std::source_location& where = std::source_location::current()) {
    if (status == cudaSuccess) return;
    static_cast<void>(cudaGetLastError());  // an error reported here is not to be met again
    fail(asked, cudaGetErrorString(status), where);
}

inline void check(cublasStatus_t status, const char* asked,
                  const std::source_location& where = std::source_location::current()) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    fail(asked, "cuBLAS status " + std::to_string(static_cast<int>(status)), where);
}

}  // namespace fisher_select::cuda
