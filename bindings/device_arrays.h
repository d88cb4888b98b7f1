// SPDX-License-Identifier: Apache-2.0
// Arrays for the CUDA engine: those of a device are read where they lie, those of the host are
// uploaded once, or, beyond half of the device's free memory, mapped and read by chunks.
// fisher_select/arrays.py has validated them.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <vector>

#include "arrays.h"
#include "cuda/device.h"
#include "cuda/memory.h"
#include "error.h"

namespace fisher_select::bindings {

/// What arrays.h wants of an array, for memory of a device.
class DeviceArray {
public:
    /// A NumPy array, which is copied, or an object with __cuda_array_interface__, which is not
    /// and stays alive with its caller.
    DeviceArray(const cuda::Device& device, const py::object& array) {
        py::isinstance<py::array>(array)
            ? upload(device, py::array::ensure(array, py::array::c_style))
            : borrow(array.attr("__cuda_array_interface__").cast<py::dict>());
    }

    const void* data() const { return data_; }
    DType dtype() const { return dtype_; }
    py::ssize_t ndim() const { return static_cast<py::ssize_t>(shape_.size()); }
    const std::vector<py::ssize_t>& shape() const { return shape_; }
    py::ssize_t shape(py::ssize_t axis) const { return shape_[static_cast<size_t>(axis)]; }
    /// In elements.
    int64_t stride(py::ssize_t axis) const { return strides_[static_cast<size_t>(axis)]; }

private:
    void upload(const cuda::Device& device, const py::array& array) {
        dtype_ = dtype_of(array);
        for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
            shape_.push_back(array.shape(axis));
            strides_.push_back(bindings::stride(array, axis));
        }
        if (2.0 * static_cast<double>(array.nbytes()) > device.free_bytes()) {
            contiguous_ = array;
            mapped_ = cuda::MappedArray(array.data(), array.nbytes());
            data_ = mapped_.data();
            return;
        }
        copy_ = cuda::DeviceBuffer<char>(device, {array.nbytes()}, "the pool on the device",
                                         "select from a part of the pool, or on the CPU");
        copy_.upload(static_cast<const char*>(array.data()), array.nbytes());
        data_ = copy_.data();
    }

    void borrow(const py::dict& interface) {
        const auto type = interface["typestr"].cast<std::string>();
        internal_check(type == "<f4" || type == "<f8", "arrays are float32 or float64");
        dtype_ = type == "<f4" ? DType::float32 : DType::float64;
        const int64_t size = dtype_ == DType::float32 ? 4 : 8;
        shape_ = interface["shape"].cast<std::vector<py::ssize_t>>();
        const py::object strides =
            interface.contains("strides") ? py::object(interface["strides"]) : py::none();
        strides_.assign(shape_.size(), 1);
        if (strides.is_none()) {
            for (size_t axis = shape_.size(); axis-- > 1;)
                strides_[axis - 1] = strides_[axis] * shape_[axis];
        } else {
            strides_ = strides.cast<std::vector<int64_t>>();
            for (int64_t& stride : strides_) {
                internal_check(stride % size == 0, "strides are whole elements");
                stride /= size;
            }
        }
        const auto address = interface["data"].cast<py::tuple>()[0].cast<uintptr_t>();
        data_ = reinterpret_cast<const void*>(address);
    }

    const void* data_ = nullptr;
    DType dtype_ = DType::float32;
    std::vector<py::ssize_t> shape_;
    std::vector<int64_t> strides_;
    cuda::DeviceBuffer<char> copy_;
    py::array contiguous_;  // what mapped_ maps
    cuda::MappedArray mapped_;
};

inline DType dtype_of(const DeviceArray& a) { return a.dtype(); }
inline int64_t stride(const DeviceArray& a, py::ssize_t axis) { return a.stride(axis); }

/// No array for None.
inline std::optional<DeviceArray> optional_array(const cuda::Device& device,
                                                 const py::object& array) {
    if (array.is_none()) return std::nullopt;
    return DeviceArray(device, array);
}

/// The caller's stream as Python gives it: an address, 0 for the default stream.
inline cudaStream_t stream_at(uintptr_t address) {
    return reinterpret_cast<cudaStream_t>(address);
}

}  // namespace fisher_select::bindings
