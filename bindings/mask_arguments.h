// SPDX-License-Identifier: Apache-2.0
// What Python says about a mask, as the core's words, wherever the diagonal lies.
#pragma once

#include <pybind11/numpy.h>

#include "arrays.h"
#include "ops.h"

namespace fisher_select::bindings {

using Integers = py::array_t<int64_t, py::array::c_style>;
using Weights = py::array_t<double, py::array::c_style>;

template <class Array>
MaskProblem mask_problem(const Array& diagonal, const Integers& always,
                         const Integers& layer_sizes, const Integers& quotas) {
    internal_check(diagonal.ndim() == 1, "a diagonal has one axis");
    internal_check(always.ndim() == 2 && always.shape(1) == 2, "ranges are pairs");
    MaskProblem problem;
    problem.diagonal = {diagonal.data(), dtype_of(diagonal), diagonal.shape(0),
                        stride(diagonal, 0)};
    for (py::ssize_t i = 0; i < always.shape(0); ++i)
        problem.always.push_back({always.at(i, 0), always.at(i, 1)});
    problem.layer_sizes.assign(layer_sizes.data(), layer_sizes.data() + layer_sizes.size());
    problem.quotas.assign(quotas.data(), quotas.data() + quotas.size());
    return problem;
}

template <class Array>
void check_sum(const Array& total, const MatrixView& gradients, const Weights& weights) {
    internal_check(total.ndim() == 1 && total.shape(0) == gradients.cols,
                   "one total a parameter");
    internal_check(gradients.cols == 0 || stride(total, 0) == 1, "totals are contiguous");
    internal_check(weights.size() == gradients.rows, "one weight a row");
}

}  // namespace fisher_select::bindings
