// SPDX-License-Identifier: Apache-2.0
// Arguments and results of mean distances, on either engine.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <vector>

#include "arrays.h"
#include "mean_distance.h"
#include "ops.h"

namespace fisher_select::bindings {

using OptionalRows = std::optional<py::array_t<int64_t>>;

/// The arrays must outlive the problem.
template <class Array>
DistanceSumsProblem distance_sums_problem(const Array& features,
                                          const std::optional<Array>& references,
                                          const OptionalRows& rows, double scale, int bits,
                                          int64_t chunk_rows) {
    DistanceSumsProblem problem;
    problem.features = vectors_view(features);
    if (references) problem.references = vectors_view(*references);
    problem.rows = rows ? RowList{rows->data(), rows->size()}
                        : RowList{nullptr, (references ? *references : features).shape(0)};
    problem.scale = scale;
    problem.bits = bits;
    problem.chunk_rows = chunk_rows;
    return problem;
}

/// [kSumLevels, n]
inline py::array_t<double> sums_array(const std::vector<double>& sums) {
    const auto rows = static_cast<py::ssize_t>(sums.size()) / kSumLevels;
    return py::array_t<double>({py::ssize_t{kSumLevels}, rows}, sums.data());
}

}  // namespace fisher_select::bindings
