// SPDX-License-Identifier: Apache-2.0
// Information gain for Python: arrays in, scores out. No arithmetic here.
#include "arrays.h"
#include "callbacks.h"
#include "gain_arguments.h"
#include "ops.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

py::array_t<double> information_gain(const py::array& features,
                                     const OptionalArray& probabilities,
                                     const py::array& eval_features, const py::array& weight,
                                     const std::optional<ClassValues>& bias,
                                     const ClassValues& class_weights, bool by_probability,
                                     bool normalize, double learning_rate, int threads,
                                     int64_t chunk_rows, const py::object& progress,
                                     const std::string& instruction_set, const Mapped& mapped) {
    GainProblem problem =
        gain_problem(features, probabilities, eval_features, weight, bias, class_weights,
                     by_probability, normalize, learning_rate, chunk_rows);
    problem.features.mapped = is_mapped(mapped, "features");
    problem.probabilities.mapped = is_mapped(mapped, "probabilities");
    problem.instruction_set = instruction_set;
    const Context context = make_context(threads, progress);
    const std::vector<double> scores = [&] {
        py::gil_scoped_release release;
        return cpu::information_gain(context, problem);
    }();
    return to_array(scores);
}

}  // namespace

void bind_information_gain(py::module_& m) {
    m.def("information_gain", &information_gain, py::kw_only(), py::arg("features"),
          py::arg("probabilities"), py::arg("eval_features"), py::arg("weight"),
          py::arg("bias"), py::arg("class_weights"), py::arg("by_probability"),
          py::arg("normalize"), py::arg("learning_rate"), py::arg("threads"),
          py::arg("chunk_rows") = 0, py::arg("progress") = py::none(),
          py::arg("instruction_set") = "auto", py::arg("mapped") = Mapped{},
          "Scores [n] of the pool's rows; see fisher_select.information_gain_scores.");
}

}  // namespace fisher_select::bindings
