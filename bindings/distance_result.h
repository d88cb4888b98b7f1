// SPDX-License-Identifier: Apache-2.0
// The result of k_center and badge as Python sees it, whichever backend it comes from.
#pragma once

#include <pybind11/pybind11.h>

#include "arrays.h"
#include "ops.h"

namespace fisher_select::bindings {

inline py::dict to_dict(const DistanceResult& result) {
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
