// SPDX-License-Identifier: Apache-2.0
// Selection by information for Python: arrays in, a dict of arrays out. No arithmetic here.
#include "arrays.h"
#include "callbacks.h"
#include "information_arguments.h"
#include "ops.h"
#include "rooms.h"
#include "shard_argument.h"

namespace fisher_select::bindings {
namespace {

void set_mapped(InformationProblem& problem, const Mapped& mapped) {
    problem.factors.vectors.mapped =
        is_mapped(mapped, "features") || is_mapped(mapped, "factors");
    problem.factors.probabilities.mapped = is_mapped(mapped, "probabilities");
}

py::dict trace_select(const std::string& kind, const OptionalArray& features,
                      const OptionalArray& probabilities, const OptionalArray& factors,
                      const py::array_t<int64_t>& labeled, int64_t batch_size,
                      int64_t forward_count, double lam, double shrink, double scale,
                      bool use_pool_fisher, int64_t rank, int64_t merged, int64_t candidates,
                      const std::string& search, double search_part, uint64_t search_seed,
                      int threads, int64_t chunk_rows, const py::object& progress,
                      const std::string& instruction_set, const Mapped& mapped,
                      const py::object& shard) {
    TraceProblem problem;
    fill(problem, kind, features, probabilities, factors, labeled, batch_size, lam, rank,
         merged, chunk_rows);
    set_mapped(problem, mapped);
    problem.instruction_set = instruction_set;
    problem.forward_count = forward_count;
    problem.shrink = shrink;
    problem.scale = scale;
    problem.use_pool_fisher = use_pool_fisher;
    problem.candidates = candidates;
    problem.search = search_options(search, search_part, search_seed);
    const std::optional<Shard> own = make_shard(shard);
    problem.shard = own ? &*own : nullptr;
    const Context context = make_context(threads, progress);
    const InformationResult result = [&] {
        py::gil_scoped_release release;
        return cpu::select_by_trace(context, problem);
    }();
    py::dict out = selection_dict(result);
    out["forward_indices"] = to_array(result.forward_indices);
    if (problem.search.search != Search::full) out["search_share"] = result.search_share;
    return out;
}

py::dict log_det_select(const std::string& kind, const OptionalArray& features,
                        const OptionalArray& probabilities, const OptionalArray& factors,
                        const py::array_t<int64_t>& labeled, int64_t batch_size, double lam,
                        int64_t rank, int64_t merged, int threads, int64_t chunk_rows,
                        const py::object& progress, const std::string& instruction_set,
                        const std::string& form, const Mapped& mapped,
                        const py::object& shard) {
    LogDetProblem problem;
    fill(problem, kind, features, probabilities, factors, labeled, batch_size, lam, rank,
         merged, chunk_rows);
    set_mapped(problem, mapped);
    problem.instruction_set = instruction_set;
    problem.form = log_det_form(form);
    const std::optional<Shard> own = make_shard(shard);
    problem.shard = own ? &*own : nullptr;
    const Context context = make_context(threads, progress);
    const LogDetResult result = [&] {
        py::gil_scoped_release release;
        return cpu::select_by_log_det(context, problem);
    }();
    py::dict out = selection_dict(result);
    out["kernel_form"] = result.kernel_form;
    out["entries"] = result.entries;
    return out;
}

}  // namespace

void bind_fisher(py::module_& m) {
    m.def("trace_select", &trace_select, py::kw_only(), py::arg("kind"), py::arg("features"),
          py::arg("probabilities"), py::arg("factors"), py::arg("labeled"),
          py::arg("batch_size"), py::arg("forward_count"), py::arg("lam"), py::arg("shrink"),
          py::arg("scale"), py::arg("use_pool_fisher"), py::arg("rank") = 0,
          py::arg("merged") = 1, py::arg("candidates") = 0, py::arg("search") = "full",
          py::arg("search_part") = 1.0, py::arg("search_seed") = 0, py::arg("threads"),
          py::arg("chunk_rows") = 0, py::arg("progress") = py::none(),
          py::arg("instruction_set") = "auto", py::arg("mapped") = Mapped{},
          py::arg("shard") = py::none(),
          "Greedy selection by tr(M^-1 F); see fisher_select.bait. Arguments are validated by\n"
          "fisher_select.select, not here. BLAS should be limited to one thread meanwhile.\n"
          "`mapped` names the arrays that lie in a file that is mapped read-only.\n"
          "`shard` tells which part of a distributed pool the arrays are (shards.py).");
    m.def("log_det_select", &log_det_select, py::kw_only(), py::arg("kind"),
          py::arg("features"), py::arg("probabilities"), py::arg("factors"), py::arg("labeled"),
          py::arg("batch_size"), py::arg("lam"), py::arg("rank") = 0, py::arg("merged") = 1,
          py::arg("threads"), py::arg("chunk_rows") = 0, py::arg("progress") = py::none(),
          py::arg("instruction_set") = "auto", py::arg("form") = "auto",
          py::arg("mapped") = Mapped{}, py::arg("shard") = py::none(),
          "Greedy selection by log det M; see fisher_select.max_det. Rank-one factors may be\n"
          "held to one form, \"kernel\" or \"matrix\"; \"auto\" takes the cheaper one.");
}

}  // namespace fisher_select::bindings
