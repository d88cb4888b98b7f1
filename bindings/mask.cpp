// SPDX-License-Identifier: Apache-2.0
// The diagonal Fisher and the mask over it for Python. No arithmetic here.
#include "arrays.h"
#include "callbacks.h"
#include "mask_arguments.h"
#include "ops.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

py::array_t<int64_t> top_k_mask(const py::array& diagonal, const Integers& always,
                                const Integers& layer_sizes, const Integers& quotas,
                                int threads) {
    const MaskProblem problem = mask_problem(diagonal, always, layer_sizes, quotas);
    const Context context = make_context(threads, py::none());
    const std::vector<int64_t> kept = [&] {
        py::gil_scoped_release release;
        return cpu::top_k_mask(context, problem);
    }();
    return to_array(kept);
}

void accumulate_squares(py::array total, const py::array& gradients, const Weights& weights,
                        int threads) {
    const MatrixView view = matrix_view(gradients);
    check_sum(total, view, weights);
    const DType dtype = dtype_of(total);
    void* sums = total.mutable_data();  // throws where read-only

    const Context context = make_context(threads, py::none());
    py::gil_scoped_release release;
    cpu::accumulate_squares(context, view, weights.data(), dtype, sums);
}

}  // namespace

void bind_mask(py::module_& m) {
    m.def(
        "top_k_mask", &top_k_mask, py::kw_only(), py::arg("diagonal"), py::arg("always"),
        py::arg("layer_sizes"), py::arg("quotas"), py::arg("threads"),
        "Sorted indices of the largest entries; see fisher_select.top_k_mask, which checks\n"
        "the arguments: `always` are sorted ranges [a, 2], each layer has a quota of its own.");
    m.def("accumulate_squares", &accumulate_squares, py::kw_only(), py::arg("total"),
          py::arg("gradients"), py::arg("weights"), py::arg("threads"),
          "total += weights @ gradients ** 2, in place; see fisher_select.DiagonalFisher.");
}

}  // namespace fisher_select::bindings
