// SPDX-License-Identifier: Apache-2.0
// Information gain on a CUDA device for Python: arrays in, scores out. No arithmetic here.
#include "callbacks.h"
#include "device_arrays.h"
#include "gain_arguments.h"
#include "ops.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

py::array_t<double> information_gain(const py::object& features,
                                     const py::object& probabilities,
                                     const py::object& eval_features, const py::object& weight,
                                     const std::optional<ClassValues>& bias,
                                     const ClassValues& class_weights, bool by_probability,
                                     bool normalize, double learning_rate, int threads,
                                     int64_t chunk_rows, const py::object& progress,
                                     int device_index, uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const DeviceArray x(device, features), e(device, eval_features), w(device, weight);
    const auto p = optional_array(device, probabilities);
    const GainProblem problem = gain_problem(x, p, e, w, bias, class_weights, by_probability,
                                             normalize, learning_rate, chunk_rows);
    const Context context = make_context(threads, progress);
    const std::vector<double> scores = [&] {
        py::gil_scoped_release release;
        return cuda::information_gain(device, context, problem);
    }();
    return to_array(scores);
}

}  // namespace

void bind_cuda_information_gain(py::module_& m) {
    m.def("information_gain", &information_gain, py::kw_only(), py::arg("features"),
          py::arg("probabilities"), py::arg("eval_features"), py::arg("weight"),
          py::arg("bias"), py::arg("class_weights"), py::arg("by_probability"),
          py::arg("normalize"), py::arg("learning_rate"), py::arg("threads"),
          py::arg("chunk_rows") = 0, py::arg("progress") = py::none(), py::arg("device") = 0,
          py::arg("stream") = 0,
          "Scores [n] of the pool's rows; see fisher_select.information_gain_scores.");
}

}  // namespace fisher_select::bindings
