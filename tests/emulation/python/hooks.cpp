// SPDX-License-Identifier: Apache-2.0
// A caller's stream with work that nobody has waited for, as torch and CuPy leave it behind.
#include "hooks.h"

#include <pybind11/numpy.h>

#include <cstdint>
#include <stdexcept>

#include "cuda_runtime.h"

namespace emulation {
namespace {

uintptr_t create_stream() {
    cudaStream_t stream = nullptr;
    if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess)
        throw std::runtime_error("no stream");
    return reinterpret_cast<uintptr_t>(stream);
}

/// The bytes arrive when somebody waits for the stream.
void upload_later(uintptr_t address, const pybind11::array& array, uintptr_t stream) {
    if (cudaMemcpyAsync(reinterpret_cast<void*>(address), array.data(),
                        static_cast<size_t>(array.nbytes()), cudaMemcpyHostToDevice,
                        reinterpret_cast<cudaStream_t>(stream)) != cudaSuccess)
        throw std::runtime_error("no copy");
}

}  // namespace

void bind_hooks(pybind11::module_& m) {
    m.def("_create_stream", &create_stream);
    m.def("_upload_later", &upload_later);
}

}  // namespace emulation
