// SPDX-License-Identifier: Apache-2.0
// k_center and badge on a CUDA device for Python. No arithmetic here.
#include "callbacks.h"
#include "device_arrays.h"
#include "distance_arguments.h"
#include "ops.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

using Operation = DistanceResult (*)(const cuda::Device&, const Context&,
                                     const DistanceProblem&);

py::dict run(Operation operation, const cuda::Device& device, const DistanceProblem& problem,
             int threads, const py::object& progress) {
    const Context context = make_context(threads, progress);
    const DistanceResult result = [&] {
        py::gil_scoped_release release;
        return operation(device, context, problem);
    }();
    return selection_dict(result);
}

py::dict k_center(const py::object& features, const py::object& probabilities,
                  const py::array_t<int64_t>& labeled, int64_t batch_size, int64_t first,
                  int threads, int64_t chunk_rows, const py::object& progress, int device_index,
                  uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const DeviceArray x(device, features);
    const auto p = optional_array(device, probabilities);
    DistanceProblem problem = distance_problem(x, p, labeled, batch_size, chunk_rows);
    problem.first = first;
    return run(cuda::k_center, device, problem, threads, progress);
}

py::dict badge(const py::object& features, const py::object& probabilities,
               const py::array_t<int64_t>& labeled, int64_t batch_size, uint64_t seed,
               int threads, int64_t chunk_rows, const py::object& progress, int device_index,
               uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const DeviceArray x(device, features);
    const auto p = optional_array(device, probabilities);
    DistanceProblem problem = distance_problem(x, p, labeled, batch_size, chunk_rows);
    problem.seed = seed;
    return run(cuda::badge, device, problem, threads, progress);
}

}  // namespace

void bind_cuda_distance(py::module_& m) {
    m.def("k_center", &k_center, py::kw_only(), py::arg("features"), py::arg("probabilities"),
          py::arg("labeled"), py::arg("batch_size"), py::arg("first"), py::arg("threads"),
          py::arg("chunk_rows") = 0, py::arg("progress") = py::none(), py::arg("device") = 0,
          py::arg("stream") = 0,
          "Farthest-first picks; see fisher_select.k_center. Arguments are validated by\n"
          "fisher_select.distance, not here; threads and chunk_rows have no effect.");
    m.def("badge", &badge, py::kw_only(), py::arg("features"), py::arg("probabilities"),
          py::arg("labeled"), py::arg("batch_size"), py::arg("seed"), py::arg("threads"),
          py::arg("chunk_rows") = 0, py::arg("progress") = py::none(), py::arg("device") = 0,
          py::arg("stream") = 0, "k-means++ on gradient embeddings; see fisher_select.badge.");
}

}  // namespace fisher_select::bindings
