// SPDX-License-Identifier: Apache-2.0
// The diagonal Fisher and the mask over it, on a device, for Python. No arithmetic here.
#include "callbacks.h"
#include "device_copy.h"
#include "ops.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

using Integers = py::array_t<int64_t, py::array::c_style>;

py::array_t<int64_t> top_k_mask(const py::array& diagonal, const Integers& always,
                                const Integers& layer_sizes, const Integers& quotas,
                                int threads, int device_index, uintptr_t stream) {
    internal_check(diagonal.ndim() == 1, "a diagonal has one axis");
    internal_check(always.ndim() == 2 && always.shape(1) == 2, "ranges are pairs");
    const cuda::Device device(device_index, as_stream(stream));
    const DeviceCopy entries(device, diagonal);
    MaskProblem problem;
    problem.diagonal = entries.values();
    for (py::ssize_t i = 0; i < always.shape(0); ++i)
        problem.always.push_back({always.at(i, 0), always.at(i, 1)});
    problem.layer_sizes.assign(layer_sizes.data(), layer_sizes.data() + layer_sizes.size());
    problem.quotas.assign(quotas.data(), quotas.data() + quotas.size());

    const Context context = make_context(threads, py::none());
    const std::vector<int64_t> kept = [&] {
        py::gil_scoped_release release;
        return cuda::top_k_mask(device, context, problem);
    }();
    return to_array(kept);
}

void accumulate_squares(py::array total, const py::array& gradients,
                        const py::array_t<double, py::array::c_style>& weights, int threads,
                        int device_index, uintptr_t stream) {
    internal_check(gradients.ndim() == 2, "a matrix has two axes");
    internal_check(total.ndim() == 1 && total.shape(0) == gradients.shape(1),
                   "one total a parameter");
    internal_check(total.size() == 0 || bindings::stride(total, 0) == 1,
                   "totals are contiguous");
    internal_check(weights.size() == gradients.shape(0), "one weight a row");
    void* const to = total.mutable_data();  // throws where read-only
    const cuda::Device device(device_index, as_stream(stream));
    const DeviceCopy rows(device, gradients), sums(device, total);

    const Context context = make_context(threads, py::none());
    py::gil_scoped_release release;
    cuda::accumulate_squares(device, context, rows.matrix(), weights.data(), sums.dtype(),
                             sums.data());
    sums.download(to);
}

}  // namespace

void bind_mask(py::module_& m) {
    m.def(
        "top_k_mask", &top_k_mask, py::kw_only(), py::arg("diagonal"), py::arg("always"),
        py::arg("layer_sizes"), py::arg("quotas"), py::arg("threads"), py::arg("device"),
        py::arg("stream"),
        "Sorted indices of the largest entries; see fisher_select.top_k_mask, which checks\n"
        "the arguments: `always` are sorted ranges [a, 2], each layer has a quota of its own.");
    m.def("accumulate_squares", &accumulate_squares, py::kw_only(), py::arg("total"),
          py::arg("gradients"), py::arg("weights"), py::arg("threads"), py::arg("device"),
          py::arg("stream"),
          "total += weights @ gradients ** 2, in place; see fisher_select.DiagonalFisher.");
}

}  // namespace fisher_select::bindings
