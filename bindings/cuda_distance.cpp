// SPDX-License-Identifier: Apache-2.0
// k_center and badge on a CUDA device for Python; see distance.cpp.
#include <cstdint>

#include "arrays.h"
#include "callbacks.h"
#include "cuda/device.h"
#include "cuda_upload.h"
#include "distance_result.h"
#include "ops.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

using Operation = DistanceResult (*)(const cuda::Device&, const Context&,
                                     const DistanceProblem&);

/// Where a call runs: a device, and the stream the caller's arrays are ready on.
struct Place {
    int device;
    uintptr_t stream;
};

py::dict run(Operation operation, const Place& place, const py::array& features,
             const OptionalArray& probabilities, DistanceProblem problem,
             const py::object& progress) {
    const Context context = make_context(1, progress);
    const MatrixView x = matrix_view(features),
                     p = probabilities ? matrix_view(*probabilities) : MatrixView{};
    const DistanceResult result = [&] {
        py::gil_scoped_release release;
        const cuda::Device device(place.device, reinterpret_cast<cudaStream_t>(place.stream));
        const UploadedMatrix on_device(device, x), probabilities_on_device(device, p);
        const MatrixView& v = on_device.view();
        problem.features = {v.data, v.dtype, v.rows, 1, v.cols, v.row_stride, 0, v.col_stride};
        problem.probabilities = probabilities_on_device.view();
        return operation(device, context, problem);
    }();
    return to_dict(result);
}

py::dict k_center(const py::array& features, const OptionalArray& probabilities,
                  const py::array_t<int64_t>& labeled, int64_t batch_size, int64_t first,
                  int device, uintptr_t stream, int /*threads*/, int64_t /*chunk_rows*/,
                  const py::object& progress) {
    DistanceProblem problem;
    problem.labeled = {labeled.data(), labeled.size()};
    problem.batch_size = batch_size;
    problem.first = first;
    return run(cuda::k_center, {device, stream}, features, probabilities, problem, progress);
}

py::dict badge(const py::array& features, const py::array& probabilities,
               const py::array_t<int64_t>& labeled, int64_t batch_size, uint64_t seed,
               int device, uintptr_t stream, int /*threads*/, int64_t /*chunk_rows*/,
               const py::object& progress) {
    DistanceProblem problem;
    problem.labeled = {labeled.data(), labeled.size()};
    problem.batch_size = batch_size;
    problem.seed = seed;
    return run(cuda::badge, {device, stream}, features, probabilities, problem, progress);
}

}  // namespace

void bind_cuda_distance(py::module_& m) {
    m.def(
        "k_center", &k_center, py::kw_only(), py::arg("features"), py::arg("probabilities"),
        py::arg("labeled"), py::arg("batch_size"), py::arg("first"), py::arg("device") = 0,
        py::arg("stream") = 0, py::arg("threads") = 1, py::arg("chunk_rows") = 0,
        py::arg("progress") = py::none(),
        "Farthest-first picks; see fisher_select.k_center. Arguments are validated by\n"
        "fisher_select.distance, not here. Those of the CPU alone (threads, chunk_rows) have\n"
        "no effect.");
    m.def("badge", &badge, py::kw_only(), py::arg("features"), py::arg("probabilities"),
          py::arg("labeled"), py::arg("batch_size"), py::arg("seed"), py::arg("device") = 0,
          py::arg("stream") = 0, py::arg("threads") = 1, py::arg("chunk_rows") = 0,
          py::arg("progress") = py::none(),
          "k-means++ on gradient embeddings; see fisher_select.badge.");
}

}  // namespace fisher_select::bindings
