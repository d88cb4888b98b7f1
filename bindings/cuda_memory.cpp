// SPDX-License-Identifier: Apache-2.0
// Arrays of a device as fisher_select/device_arrays.py sees them: where memory lies, copies to
// and from the host, and what a DLPack capsule holds.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "cuda/device.h"
#include "device_arrays.h"
#include "device_memory.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

/// The device whose kernels may read an address; nothing where none may.
std::optional<int> device_of(uintptr_t address) {
    cudaPointerAttributes attributes{};
    const auto* const pointer = reinterpret_cast<const void*>(address);
    cuda::check(cudaPointerGetAttributes(&attributes, pointer), "tell where an array lies");
    if (attributes.type == cudaMemoryTypeUnregistered) return std::nullopt;
    return attributes.device;
}

void upload(DeviceMemory& memory, const py::array& array) {
    const py::array values = py::array::ensure(array, py::array::c_style);
    memory.upload(values.data(), values.nbytes());
}

py::array_t<uint8_t> copy_to_host(uintptr_t address, int64_t size, int device_index,
                                  uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    py::array_t<uint8_t> copy(size);
    cuda::check(
        cudaMemcpyAsync(copy.mutable_data(), reinterpret_cast<const void*>(address),
                        static_cast<size_t>(size), cudaMemcpyDeviceToHost, device.stream()),
        "copy from the device");
    device.synchronize();
    return copy;
}

/// DLPack's DLTensor, first in a capsule named "dltensor": a layout that all exporters share.
struct DlpackTensor {
    void* data;
    int32_t device_type, device_index, ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t* shape;
    int64_t* strides;  // in elements; null where contiguous
    uint64_t byte_offset;
};

/// NumPy's letter of a DLPack type code: int, uint, float, (opaque), bfloat, complex, bool.
std::string typestr(const DlpackTensor& tensor) {
    constexpr std::string_view kLetters = "iuf?Vcb";
    const char letter = tensor.code < kLetters.size() ? kLetters[tensor.code] : '?';
    if (letter == '?' || tensor.bits % 8 != 0 || tensor.lanes != 1)
        throw py::type_error("DLPack type code " + std::to_string(tensor.code) + " of " +
                             std::to_string(tensor.bits) + " bits is no number");
    return (tensor.bits == 8 ? "|" : "<") + std::string(1, letter) +
           std::to_string(tensor.bits / 8);
}

/// What a DLPack capsule holds, in the words of __cuda_array_interface__. The memory lives as
/// long as the capsule, which is not consumed.
py::dict dlpack_interface(const py::capsule& capsule) {
    const auto& tensor =
        *static_cast<const DlpackTensor*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
    py::tuple shape(tensor.ndim), strides(tensor.ndim);
    for (int32_t axis = 0; axis < tensor.ndim; ++axis) {
        shape[axis] = tensor.shape[axis];
        if (tensor.strides != nullptr) strides[axis] = tensor.strides[axis] * (tensor.bits / 8);
    }
    py::dict out;
    out["shape"] = shape;
    out["strides"] = tensor.strides != nullptr ? py::object(strides) : py::none();
    out["typestr"] = typestr(tensor);
    out["data"] =
        py::make_tuple(reinterpret_cast<uintptr_t>(tensor.data) + tensor.byte_offset, false);
    return out;
}

}  // namespace

void bind_cuda_memory(py::module_& m) {
    py::class_<DeviceMemory>(m, "DeviceMemory", "Memory of a device, freed with this object.")
        .def(py::init<int, int64_t>(), py::arg("device"), py::arg("size"))
        .def_property_readonly("address",
                               [](const DeviceMemory& memory) {
                                   return reinterpret_cast<uintptr_t>(memory.data());
                               })
        .def_property_readonly("device", &DeviceMemory::device)
        .def("upload", &upload, py::arg("array"), "Fills it with the array's bytes.");
    m.def("device_of", &device_of, py::arg("address"),
          "The device whose kernels may read there, or None.");
    m.def("copy_to_host", &copy_to_host, py::kw_only(), py::arg("address"), py::arg("size"),
          py::arg("device"), py::arg("stream"), "Bytes of a device, after all of the stream.");
    m.def("dlpack_interface", &dlpack_interface, py::arg("capsule"),
          "A DLPack capsule in the words of __cuda_array_interface__.");
}

}  // namespace fisher_select::bindings
