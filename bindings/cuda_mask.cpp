// SPDX-License-Identifier: Apache-2.0
// The diagonal Fisher and the mask over it on a CUDA device for Python. No arithmetic here.
#include "callbacks.h"
#include "cuda/check.h"
#include "device_arrays.h"
#include "mask_arguments.h"
#include "ops.h"
#include "rooms.h"

namespace fisher_select::bindings {
namespace {

py::array_t<int64_t> top_k_mask(const py::object& diagonal, const Integers& always,
                                const Integers& layer_sizes, const Integers& quotas,
                                int threads, int device_index, uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const DeviceArray entries(device, diagonal);
    const MaskProblem problem = mask_problem(entries, always, layer_sizes, quotas);
    const Context context = make_context(threads, py::none());
    const std::vector<int64_t> kept = [&] {
        py::gil_scoped_release release;
        return cuda::top_k_mask(device, context, problem);
    }();
    return to_array(kept);
}

/// `total` of the device is added to where it lies; that of the host makes the way there and
/// back.
void accumulate_squares(const py::object& total, const py::object& gradients,
                        const Weights& weights, int threads, int device_index,
                        uintptr_t stream) {
    const cuda::Device device(device_index, stream_at(stream));
    const DeviceArray rows(device, gradients), sums(device, total);
    const MatrixView view = matrix_view(rows);
    check_sum(sums, view, weights);
    auto* const to = const_cast<void*>(sums.data());
    const Context context = make_context(threads, py::none());
    {
        py::gil_scoped_release release;
        cuda::accumulate_squares(device, context, view, weights.data(), sums.dtype(), to);
    }
    if (!py::isinstance<py::array>(total)) return;
    auto host = py::cast<py::array>(total);
    internal_check(host.size() == 0 || stride(host, 0) == 1, "totals are contiguous");
    cuda::check(cudaMemcpyAsync(host.mutable_data(),  // throws where read-only
                                to, static_cast<size_t>(host.nbytes()), cudaMemcpyDeviceToHost,
                                device.stream()),
                "copy the sums from the device");
    device.synchronize();
}

}  // namespace

void bind_cuda_mask(py::module_& m) {
    m.def(
        "top_k_mask", &top_k_mask, py::kw_only(), py::arg("diagonal"), py::arg("always"),
        py::arg("layer_sizes"), py::arg("quotas"), py::arg("threads"), py::arg("device") = 0,
        py::arg("stream") = 0,
        "Sorted indices of the largest entries; see fisher_select.top_k_mask, which checks\n"
        "the arguments: `always` are sorted ranges [a, 2], each layer has a quota of its own.");
    m.def("accumulate_squares", &accumulate_squares, py::kw_only(), py::arg("total"),
          py::arg("gradients"), py::arg("weights"), py::arg("threads"), py::arg("device") = 0,
          py::arg("stream") = 0,
          "total += weights @ gradients ** 2, in place; see fisher_select.DiagonalFisher.");
}

}  // namespace fisher_select::bindings
