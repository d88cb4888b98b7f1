// SPDX-License-Identifier: Apache-2.0
// Arguments of the information gain, on either engine.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>

#include "arrays.h"
#include "ops.h"

namespace fisher_select::bindings {

using ClassValues = py::array_t<double, py::array::c_style>;  // [C]

/// The arrays must outlive the problem.
template <class Array>
GainProblem gain_problem(const Array& features, const std::optional<Array>& probabilities,
                         const Array& eval_features, const Array& weight,
                         const std::optional<ClassValues>& bias,
                         const ClassValues& class_weights, bool by_probability, bool normalize,
                         double learning_rate, int64_t chunk_rows) {
    GainProblem problem;
    problem.features = vectors_view(features);
    if (probabilities) problem.probabilities = matrix_view(*probabilities);
    problem.eval_features = vectors_view(eval_features);
    problem.weight = matrix_view(weight);
    problem.bias = bias ? bias->data() : nullptr;
    problem.class_weights = class_weights.data();
    problem.by_probability = by_probability;
    problem.normalize = normalize;
    problem.learning_rate = learning_rate;
    problem.chunk_rows = chunk_rows;
    return problem;
}

}  // namespace fisher_select::bindings
