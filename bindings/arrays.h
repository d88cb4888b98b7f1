// SPDX-License-Identifier: Apache-2.0
// NumPy arrays as the core's views. fisher_select/arrays.py has validated them; what does not
// fit here is our own mistake, not the caller's.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "error.h"
#include "view.h"

namespace fisher_select::bindings {

namespace py = pybind11;

using OptionalArray = std::optional<py::array>;

/// Names of the arguments that lie in a file that is mapped read-only.
using Mapped = std::vector<std::string>;

inline bool is_mapped(const Mapped& mapped, const char* name) {
    return std::find(mapped.begin(), mapped.end(), name) != mapped.end();
}

inline DType dtype_of(const py::array& a) {
    if (py::isinstance<py::array_t<float>>(a)) return DType::float32;
    internal_check(py::isinstance<py::array_t<double>>(a), "arrays are float32 or float64");
    return DType::float64;
}

/// Stride of an axis in elements.
inline int64_t stride(const py::array& a, py::ssize_t axis) {
    internal_check(a.strides(axis) % a.itemsize() == 0, "strides are whole elements");
    return a.strides(axis) / a.itemsize();
}

// The views below are of NumPy arrays, and of a device's (device_arrays.h).

template <class Array>
MatrixView matrix_view(const Array& a) {
    internal_check(a.ndim() == 2, "a matrix has two axes");
    return {a.data(), dtype_of(a), a.shape(0), a.shape(1), stride(a, 0), stride(a, 1)};
}

/// Features [n, d]: one vector a row.
template <class Array>
VectorsView vectors_view(const Array& a) {
    internal_check(a.ndim() == 2, "features have two axes");
    return {a.data(), dtype_of(a), a.shape(0), 1, a.shape(1), stride(a, 0), 0, stride(a, 1)};
}

/// Dense factors [n, D, r]: r vectors a row.
template <class Array>
VectorsView dense_view(const Array& a) {
    internal_check(a.ndim() == 3, "dense factors have three axes");
    return {a.data(),   dtype_of(a),  a.shape(0),   a.shape(2),
            a.shape(1), stride(a, 0), stride(a, 2), stride(a, 1)};
}

template <class T>
py::array_t<T> to_array(const std::vector<T>& values) {
    return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

}  // namespace fisher_select::bindings
