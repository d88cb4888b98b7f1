// SPDX-License-Identifier: Apache-2.0
// Checks and repairs of arrays on a device for fisher_select/pool_arrays.py, and the first
// centre of k-centre greedy. No arithmetic here.
#include "cuda/validation.h"

#include <optional>

#include "cuda/first_center.h"
#include "device_arrays.h"
#include "device_memory.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

/// A matrix [n, d] or dense factors [n, D, r].
VectorsView rows_view(const DeviceArray& array) {
    return array.ndim() == 2 ? vectors_view(array) : dense_view(array);
}

std::optional<int64_t> first_not_finite(const py::object& array, int device_index,
                                        uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const DeviceArray view(device, array);
    py::gil_scoped_release release;
    return cuda::first_not_finite(device, rows_view(view));
}

py::array_t<double> read_row(const py::object& array, int64_t row, int device_index,
                             uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const DeviceArray view(device, array);
    const std::vector<py::ssize_t> shape(view.shape().begin() + 1, view.shape().end());
    return py::array_t<double>(shape, cuda::read_row(device, rows_view(view), row).data());
}

py::tuple check_probabilities(const py::object& probabilities, double range_tolerance,
                              double sum_tolerance, double renormalize_above, int device_index,
                              uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const DeviceArray view(device, probabilities);
    const cuda::ProbabilityFindings found = [&] {
        py::gil_scoped_release release;
        return cuda::check_probabilities(device, matrix_view(view),
                                         {range_tolerance, sum_tolerance, renormalize_above});
    }();
    return py::make_tuple(found.bad_row, found.clip, found.renormalize);
}

DeviceMemory repair_probabilities(const py::object& probabilities, bool renormalize,
                                  int device_index, uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const DeviceArray view(device, probabilities);
    const int64_t width = view.dtype() == DType::float32 ? 4 : 8;
    DeviceMemory repaired(device_index, view.shape(0) * view.shape(1) * width);
    py::gil_scoped_release release;
    cuda::repair_probabilities(device, matrix_view(view), renormalize, repaired.data());
    return repaired;
}

int64_t first_center(const py::object& features, const py::object& probabilities,
                     int device_index, uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const DeviceArray x(device, features);
    const auto p = optional_array(device, probabilities);
    py::gil_scoped_release release;
    return cuda::first_center(device, vectors_view(x), p ? matrix_view(*p) : MatrixView{});
}

}  // namespace

void bind_cuda_validation(py::module_& m) {
    m.def("first_not_finite", &first_not_finite, py::kw_only(), py::arg("array"),
          py::arg("device") = 0, py::arg("stream") = 0,
          "The first row with an entry that is not finite, or None.");
    m.def("read_row", &read_row, py::kw_only(), py::arg("array"), py::arg("row"),
          py::arg("device") = 0, py::arg("stream") = 0, "A copy of one row, float64.");
    m.def("check_probabilities", &check_probabilities, py::kw_only(), py::arg("probabilities"),
          py::arg("range_tolerance"), py::arg("sum_tolerance"), py::arg("renormalize_above"),
          py::arg("device") = 0, py::arg("stream") = 0,
          "First bad row or None, whether to clip, whether to divide by the sums: each where\n"
          "something is off by more than that much.");
    m.def("repair_probabilities", &repair_probabilities, py::kw_only(),
          py::arg("probabilities"), py::arg("renormalize"), py::arg("device") = 0,
          py::arg("stream") = 0, "A clipped copy, its rows divided by their sums if wanted.");
    m.def("first_center", &first_center, py::kw_only(), py::arg("features"),
          py::arg("probabilities"), py::arg("device") = 0, py::arg("stream") = 0,
          "Where k-centre greedy starts; see fisher_select.k_center.");
}

}  // namespace fisher_select::bindings
