// SPDX-License-Identifier: Apache-2.0
// Arguments and results that selections by information have in common, on either engine.
#pragma once

#include <optional>
#include <string>

#include "arrays.h"
#include "error.h"
#include "ops.h"

namespace fisher_select::bindings {

inline FactorKind factor_kind(const std::string& name) {
    if (name == "softmax") return FactorKind::softmax;
    if (name == "sigmoid") return FactorKind::sigmoid;
    if (name == "gaussian") return FactorKind::gaussian;
    if (name == "dense") return FactorKind::dense;
    if (name == "block_diagonal") return FactorKind::block_diagonal;
    if (name == "binary") return FactorKind::binary;
    if (name == "gradient") return FactorKind::gradient;
    throw InputError("kind: unknown factor '" + name + "'");
}

inline LogDetForm log_det_form(const std::string& name) {
    if (name == "auto") return LogDetForm::automatic;
    if (name == "kernel") return LogDetForm::kernel;
    if (name == "matrix") return LogDetForm::matrix;
    throw InputError("form: unknown form '" + name + "'");
}

inline SearchOptions search_options(const std::string& name, double part, uint64_t seed) {
    if (name == "full") return {};
    if (name == "lazy") return {Search::lazy, 1.0, seed};
    if (name == "stochastic") return {Search::stochastic, part, seed};
    throw InputError("search: unknown search '" + name + "'");
}

/// The part of a problem that every objective of information has. Arrays are NumPy's or a
/// device's.
template <class Array>
void fill(InformationProblem& problem, const std::string& kind,
          const std::optional<Array>& features, const std::optional<Array>& probabilities,
          const std::optional<Array>& factors, const py::array_t<int64_t>& labeled,
          int64_t batch_size, double lam, int64_t rank, int64_t merged, int64_t chunk_rows) {
    problem.factors = make_factors(
        factor_kind(kind), factors ? dense_view(*factors) : vectors_view(features.value()),
        probabilities ? matrix_view(*probabilities) : MatrixView{}, rank, merged);
    problem.labeled = {labeled.data(), labeled.size()};
    problem.batch_size = batch_size;
    problem.lam = lam;
    problem.chunk_rows = chunk_rows;
}

inline py::dict selection_dict(const InformationResult& result) {
    py::dict seconds;
    for (const auto& [stage, value] : result.seconds) seconds[stage.c_str()] = value;
    py::dict out;
    out["indices"] = to_array(result.indices);
    out["scores"] = to_array(result.scores);
    out["objective"] = to_array(result.objective);
    out["refreshes"] = result.refreshes;
    out["max_drift"] = result.max_drift;
    out["seconds"] = seconds;
    return out;
}

}  // namespace fisher_select::bindings
