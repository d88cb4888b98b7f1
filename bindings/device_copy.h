// SPDX-License-Identifier: Apache-2.0
// Host arrays on a device: copied there once, whole.
#pragma once

#include <cstdint>

#include "arrays.h"
#include "cuda/device.h"
#include "cuda/memory.h"

namespace fisher_select::bindings {

/// A NumPy array's contents on the device, C-contiguous, in its own float width.
class DeviceCopy {
public:
    DeviceCopy(const cuda::Device& device, const py::array& array) : dtype_(dtype_of(array)) {
        for (py::ssize_t axis = 0; axis < array.ndim(); ++axis)
            shape_.push_back(array.shape(axis));
        if (dtype_ == DType::float32)
            upload(device, py::array_t<float, py::array::c_style>(array), single_);
        else
            upload(device, py::array_t<double, py::array::c_style>(array), double_);
    }

    DType dtype() const { return dtype_; }
    void* data() const {
        return dtype_ == DType::float32 ? static_cast<void*>(single_.data()) : double_.data();
    }
    ValuesView values() const { return {data(), dtype_, shape_.at(0), 1}; }
    MatrixView matrix() const {
        return {data(), dtype_, shape_.at(0), shape_.at(1), shape_.at(1), 1};
    }
    VectorsView vectors() const {
        return {data(), dtype_, shape_.at(0), 1, shape_.at(1), shape_.at(1), 0, 1};
    }

    /// Back to a contiguous array of the same shape and width.
    void download(void* to) const {
        if (dtype_ == DType::float32)
            single_.download(static_cast<float*>(to), single_.size());
        else
            double_.download(static_cast<double*>(to), double_.size());
    }

private:
    template <class T>
    static void upload(const cuda::Device& device,
                       const py::array_t<T, py::array::c_style>& array,
                       cuda::DeviceBuffer<T>& copy) {
        copy = cuda::DeviceBuffer<T>(device, {array.size()}, "a copy of an array",
                                     "pass fewer rows, or use the cpu backend");
        copy.upload(array.data(), array.size());
    }

    DType dtype_;
    std::vector<int64_t> shape_;
    cuda::DeviceBuffer<float> single_;
    cuda::DeviceBuffer<double> double_;
};

inline cudaStream_t as_stream(uintptr_t stream) {
    return reinterpret_cast<cudaStream_t>(stream);
}

}  // namespace fisher_select::bindings
