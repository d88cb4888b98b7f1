// SPDX-License-Identifier: Apache-2.0
// Selection by information on a CUDA device for Python. No arithmetic here.
#include "callbacks.h"
#include "device_arrays.h"
#include "information_arguments.h"
#include "ops.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

py::dict trace_select(const std::string& kind, const py::object& features,
                      const py::object& probabilities, const py::object& factors,
                      const py::array_t<int64_t>& labeled, int64_t batch_size,
                      int64_t forward_count, double lam, double shrink, double scale,
                      bool use_pool_fisher, int64_t rank, int64_t merged, int64_t candidates,
                      int threads, int64_t chunk_rows, const py::object& progress,
                      int device_index, uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const auto x = optional_array(device, features), p = optional_array(device, probabilities),
               v = optional_array(device, factors);
    TraceProblem problem;
    fill(problem, kind, x, p, v, labeled, batch_size, lam, rank, merged, chunk_rows);
    problem.forward_count = forward_count;
    problem.shrink = shrink;
    problem.scale = scale;
    problem.use_pool_fisher = use_pool_fisher;
    problem.candidates = candidates;
    const Context context = make_context(threads, progress);
    const InformationResult result = [&] {
        py::gil_scoped_release release;
        return cuda::select_by_trace(device, context, problem);
    }();
    py::dict out = selection_dict(result);
    out["forward_indices"] = to_array(result.forward_indices);
    return out;
}

py::dict log_det_select(const std::string& kind, const py::object& features,
                        const py::object& probabilities, const py::object& factors,
                        const py::array_t<int64_t>& labeled, int64_t batch_size, double lam,
                        int64_t rank, int64_t merged, int threads, int64_t chunk_rows,
                        const py::object& progress, const std::string& form, int device_index,
                        uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const auto x = optional_array(device, features), p = optional_array(device, probabilities),
               v = optional_array(device, factors);
    LogDetProblem problem;
    fill(problem, kind, x, p, v, labeled, batch_size, lam, rank, merged, chunk_rows);
    problem.form = log_det_form(form);
    const Context context = make_context(threads, progress);
    const LogDetResult result = [&] {
        py::gil_scoped_release release;
        return cuda::select_by_log_det(device, context, problem);
    }();
    py::dict out = selection_dict(result);
    out["kernel_form"] = result.kernel_form;
    out["entries"] = result.entries;
    return out;
}

}  // namespace

void bind_cuda_fisher(py::module_& m) {
    m.def("trace_select", &trace_select, py::kw_only(), py::arg("kind"), py::arg("features"),
          py::arg("probabilities"), py::arg("factors"), py::arg("labeled"),
          py::arg("batch_size"), py::arg("forward_count"), py::arg("lam"), py::arg("shrink"),
          py::arg("scale"), py::arg("use_pool_fisher"), py::arg("rank") = 0,
          py::arg("merged") = 1, py::arg("candidates") = 0, py::arg("threads"),
          py::arg("chunk_rows") = 0, py::arg("progress") = py::none(), py::arg("device") = 0,
          py::arg("stream") = 0,
          "Greedy selection by tr(M^-1 F); see fisher_select.bait. Arguments are validated by\n"
          "fisher_select.select, not here.");
    m.def("log_det_select", &log_det_select, py::kw_only(), py::arg("kind"),
          py::arg("features"), py::arg("probabilities"), py::arg("factors"), py::arg("labeled"),
          py::arg("batch_size"), py::arg("lam"), py::arg("rank") = 0, py::arg("merged") = 1,
          py::arg("threads"), py::arg("chunk_rows") = 0, py::arg("progress") = py::none(),
          py::arg("form") = "auto", py::arg("device") = 0, py::arg("stream") = 0,
          "Greedy selection by log det M, in matrix form; see fisher_select.max_det.");
}

}  // namespace fisher_select::bindings
