// SPDX-License-Identifier: Apache-2.0
// fisher_select._cuda: the CUDA engine. Importing it asks nothing of a driver or a device.
#include <cuda_runtime.h>
#include <pybind11/pybind11.h>

#include <string>

#include "callbacks.h"
#include "rooms.h"

#if defined(FS_CUDA_EMULATED)
#    include "python/hooks.h"
#endif

namespace {

#if defined(FS_CUDA_EMULATED)
constexpr bool kEmulated = true;
void bind_hooks(pybind11::module_& m) { emulation::bind_hooks(m); }
#else
constexpr bool kEmulated = false;
void bind_hooks(pybind11::module_&) {}
#endif

/// 13000 -> "13.0", as CUDA counts its versions.
std::string version_text(int version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// Why no device can be used; empty where one can. CUDA reports a missing driver as one that
/// is too old.
std::string device_state() {
    int count = 0, driver = 0, runtime = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    static_cast<void>(cudaGetLastError());  // told here, not to be met again
    if (status == cudaSuccess && count > 0) return "";
    if (status == cudaSuccess || status == cudaErrorNoDevice) return "no CUDA device";
    static_cast<void>(cudaDriverGetVersion(&driver));
    static_cast<void>(cudaRuntimeGetVersion(&runtime));
    if (driver == 0) return "no CUDA driver";
    if (status == cudaErrorInsufficientDriver)
        return "the CUDA driver is too old: it supports CUDA " + version_text(driver) +
               ", wanted " + version_text(runtime);
    return cudaGetErrorString(status);
}

std::string device_name(int device) {
    cudaDeviceProp properties;
    const cudaError_t status = cudaGetDeviceProperties(&properties, device);
    if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
    return properties.name;
}

}  // namespace

PYBIND11_MODULE(_cuda, m) {
    using namespace fisher_select;
    m.doc() = "Compiled selection kernels of fisher_select, CUDA.";
    m.attr("emulated") = kEmulated;
    bindings::blas_table();
    bindings::bind_errors(m);
    bindings::bind_cuda_distance(m);
    bindings::bind_cuda_fisher(m);
    bindings::bind_cuda_information_gain(m);
    bindings::bind_cuda_mask(m);
    bindings::bind_cuda_mean_distance(m);
    bindings::bind_cuda_memory(m);
    bindings::bind_cuda_validation(m);
    bind_hooks(m);
    m.def("device_state", &device_state, "Why no device can be used; empty where one can.");
    m.def("device_name", &device_name, pybind11::arg("device"), "What the device is called.");
}
