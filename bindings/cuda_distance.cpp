// SPDX-License-Identifier: Apache-2.0
// k_center and badge on a CUDA device for Python. No arithmetic here.
#include "callbacks.h"
#include "device_arrays.h"
#include "distance_arguments.h"
#include "ops.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

/// One call: its arrays on the device, and the problem that reads them.
struct Call {
    Call(const py::object& features, const py::object& probabilities,
         const py::array_t<int64_t>& labeled, int64_t batch_size, int64_t chunk_rows,
         int device_index, uintptr_t stream)
        : device(device_index, stream_at(stream)),
          x(device, features),
          p(optional_array(device, probabilities)),
          problem(distance_problem(x, p, labeled, batch_size, chunk_rows)) {}

    template <class Operation>
    py::dict run(const Operation& operation, int threads, const py::object& progress) const {
        const Context context = make_context(threads, progress);
        const DistanceResult result = [&] {
            py::gil_scoped_release release;
            return operation(device, context, problem);
        }();
        return selection_dict(result);
    }

    cuda::Device device;
    DeviceArray x;
    std::optional<DeviceArray> p;
    DistanceProblem problem;
};

py::dict k_center(const py::object& features, const py::object& probabilities,
                  const py::array_t<int64_t>& labeled, int64_t batch_size, int64_t first,
                  int threads, int64_t chunk_rows, const py::object& progress, int device,
                  uintptr_t stream) {
    Call call(features, probabilities, labeled, batch_size, chunk_rows, device, stream);
    call.problem.first = first;
    return call.run(cuda::k_center, threads, progress);
}

py::dict badge(const py::object& features, const py::object& probabilities,
               const py::array_t<int64_t>& labeled, int64_t batch_size, uint64_t seed,
               int threads, int64_t chunk_rows, const py::object& progress, int device,
               uintptr_t stream) {
    Call call(features, probabilities, labeled, batch_size, chunk_rows, device, stream);
    call.problem.seed = seed;
    return call.run(cuda::badge, threads, progress);
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
