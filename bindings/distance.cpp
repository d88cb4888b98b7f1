// SPDX-License-Identifier: Apache-2.0
// k_center and badge for Python: arrays in, a dict of arrays out. No arithmetic here.
#include "arrays.h"
#include "callbacks.h"
#include "distance_arguments.h"
#include "ops.h"
#include "rooms.h"
#include "shard_argument.h"

namespace fisher_select::bindings {
namespace {

using Operation = DistanceResult (*)(const Context&, const DistanceProblem&);

void set_mapped(DistanceProblem& problem, const Mapped& mapped) {
    problem.features.mapped = is_mapped(mapped, "features");
    problem.probabilities.mapped = is_mapped(mapped, "probabilities");
}

py::dict run(Operation operation, DistanceProblem problem, int threads,
             const py::object& progress, const py::object& shard) {
    const std::optional<Shard> own = make_shard(shard);
    problem.shard = own ? &*own : nullptr;
    const Context context = make_context(threads, progress);
    const DistanceResult result = [&] {
        py::gil_scoped_release release;
        return operation(context, problem);
    }();
    return selection_dict(result);
}

py::dict k_center(const py::array& features, const std::optional<py::array>& probabilities,
                  const py::array_t<int64_t>& labeled, int64_t batch_size, int64_t first,
                  int threads, int64_t chunk_rows, const py::object& progress,
                  const std::string& instruction_set, const Mapped& mapped,
                  const py::object& shard) {
    DistanceProblem problem =
        distance_problem(features, probabilities, labeled, batch_size, chunk_rows);
    set_mapped(problem, mapped);
    problem.instruction_set = instruction_set;
    problem.first = first;
    return run(cpu::k_center, problem, threads, progress, shard);
}

py::dict badge(const py::array& features, const py::array& probabilities,
               const py::array_t<int64_t>& labeled, int64_t batch_size, uint64_t seed,
               int threads, int64_t chunk_rows, const py::object& progress,
               const std::string& instruction_set, const Mapped& mapped,
               const py::object& shard) {
    DistanceProblem problem = distance_problem(features, OptionalArray(probabilities), labeled,
                                               batch_size, chunk_rows);
    set_mapped(problem, mapped);
    problem.instruction_set = instruction_set;
    problem.seed = seed;
    return run(cpu::badge, problem, threads, progress, shard);
}

}  // namespace

void bind_distance(py::module_& m) {
    m.def("k_center", &k_center, py::kw_only(), py::arg("features"), py::arg("probabilities"),
          py::arg("labeled"), py::arg("batch_size"), py::arg("first"), py::arg("threads"),
          py::arg("chunk_rows") = 0, py::arg("progress") = py::none(),
          py::arg("instruction_set") = "auto", py::arg("mapped") = Mapped{},
          py::arg("shard") = py::none(),
          "Farthest-first picks; see fisher_select.k_center. Arguments are validated by\n"
          "fisher_select.distance, not here. BLAS should be limited to one thread meanwhile.\n"
          "`mapped` names the arrays that lie in a file that is mapped read-only.\n"
          "`shard` tells which part of a distributed pool the arrays are (shards.py).");
    m.def("badge", &badge, py::kw_only(), py::arg("features"), py::arg("probabilities"),
          py::arg("labeled"), py::arg("batch_size"), py::arg("seed"), py::arg("threads"),
          py::arg("chunk_rows") = 0, py::arg("progress") = py::none(),
          py::arg("instruction_set") = "auto", py::arg("mapped") = Mapped{},
          py::arg("shard") = py::none(),
          "k-means++ on gradient embeddings; see fisher_select.badge.");
}

}  // namespace fisher_select::bindings
