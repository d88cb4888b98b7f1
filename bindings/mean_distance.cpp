// SPDX-License-Identifier: Apache-2.0
// Sums of distances for Python: arrays in, sums out. No arithmetic here.
#include "arrays.h"
#include "callbacks.h"
#include "mean_distance_arguments.h"
#include "ops.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

py::array_t<double> distance_sums(const py::array& features, const OptionalArray& references,
                                  const OptionalRows& rows, double scale, int bits, int threads,
                                  int64_t chunk_rows, const py::object& progress,
                                  const std::string& instruction_set, const Mapped& mapped) {
    DistanceSumsProblem problem =
        distance_sums_problem(features, references, rows, scale, bits, chunk_rows);
    problem.features.mapped = is_mapped(mapped, "features");
    problem.references.mapped = is_mapped(mapped, "references");
    problem.instruction_set = instruction_set;
    const Context context = make_context(threads, progress);
    const std::vector<double> sums = [&] {
        py::gil_scoped_release release;
        return cpu::distance_sums(context, problem);
    }();
    return sums_array(sums);
}

}  // namespace

void bind_mean_distance(py::module_& m) {
    m.def("distance_sums", &distance_sums, py::kw_only(), py::arg("features"),
          py::arg("references"), py::arg("rows"), py::arg("scale"), py::arg("bits"),
          py::arg("threads"), py::arg("chunk_rows") = 0, py::arg("progress") = py::none(),
          py::arg("instruction_set") = "auto", py::arg("mapped") = Mapped{},
          "Sums [levels, n] of distances to the references, or to the features themselves;\n"
          "see fisher_select.mean_distances and reference.distance_sums.");
}

}  // namespace fisher_select::bindings
