// SPDX-License-Identifier: Apache-2.0
// Arguments and results that selections by distance have in common, on either engine.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>

#include "arrays.h"
#include "ops.h"

namespace fisher_select::bindings {

template <class Array>
DistanceProblem distance_problem(const Array& features,
                                 const std::optional<Array>& probabilities,
                                 const py::array_t<int64_t>& labeled, int64_t batch_size,
                                 int64_t chunk_rows) {
    DistanceProblem problem;
    problem.features = vectors_view(features);
    if (probabilities) problem.probabilities = matrix_view(*probabilities);
    problem.labeled = {labeled.data(), labeled.size()};
    problem.batch_size = batch_size;
    problem.chunk_rows = chunk_rows;
    return problem;
}

inline py::dict selection_dict(const DistanceResult& result) {
    py::dict seconds;
    for (const auto& [stage, value] : result.seconds) seconds[stage.c_str()] = value;
    py::dict out;
    out["indices"] = to_array(result.indices);
    out["scores"] = to_array(result.scores);
    out["full_distances"] = result.full_distances;
    out["screened_distances"] = result.screened_distances;
    out["centers"] = result.centers;
    out["seconds"] = seconds;
    return out;
}

}  // namespace fisher_select::bindings
