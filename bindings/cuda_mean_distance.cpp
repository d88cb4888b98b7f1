// SPDX-License-Identifier: Apache-2.0
// Sums of distances on a CUDA device for Python: arrays in, sums out. No arithmetic here.
#include "callbacks.h"
#include "cuda/largest_entry.h"
#include "device_arrays.h"
#include "mean_distance_arguments.h"
#include "ops.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

py::array_t<double> distance_sums(const py::object& features, const py::object& references,
                                  const OptionalRows& rows, double scale, int bits, int threads,
                                  int64_t chunk_rows, const py::object& progress,
                                  int device_index, uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const DeviceArray x(device, features);
    const auto others = optional_array(device, references);
    const DistanceSumsProblem problem =
        distance_sums_problem(x, others, rows, scale, bits, chunk_rows);
    const Context context = make_context(threads, progress);
    const std::vector<double> sums = [&] {
        py::gil_scoped_release release;
        return cuda::distance_sums(device, context, problem);
    }();
    return sums_array(sums);
}

double largest_entry(const py::object& features, int device_index, uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const DeviceArray x(device, features);
    const MatrixView view = matrix_view(x);
    py::gil_scoped_release release;
    return cuda::largest_entry(device, view);
}

}  // namespace

void bind_cuda_mean_distance(py::module_& m) {
    m.def("distance_sums", &distance_sums, py::kw_only(), py::arg("features"),
          py::arg("references"), py::arg("rows"), py::arg("scale"), py::arg("bits"),
          py::arg("threads"), py::arg("chunk_rows") = 0, py::arg("progress") = py::none(),
          py::arg("device") = 0, py::arg("stream") = 0,
          "Sums [levels, n] of distances to the references, or to the features themselves;\n"
          "see fisher_select.mean_distances. threads has no effect.");
    m.def("largest_entry", &largest_entry, py::kw_only(), py::arg("features"),
          py::arg("device") = 0, py::arg("stream") = 0, "The largest absolute value.");
}

}  // namespace fisher_select::bindings
