// SPDX-License-Identifier: Apache-2.0
// Factors of the output layer's Fisher information; the derivation is in factors.h.
#include "factors.h"

#include <cmath>
#include <limits>

#include "error.h"

namespace fisher_select {

const char* Factors::matrix_remedy(Criterion criterion) const {
    switch (kind) {
        case FactorKind::dense: return "give factors of fewer parameters";
        case FactorKind::gaussian:
        case FactorKind::binary: return "lower the feature width";
        case FactorKind::sigmoid:
        case FactorKind::block_diagonal:
        case FactorKind::gradient: return "lower the feature width or the number of classes";
        case FactorKind::softmax: break;
    }
    return criterion == Criterion::log_det
               ? "lower the feature width or the number of classes, or choose "
                 "gradient='rank_one'"
               : "lower the feature width or the number of classes, or choose top_classes, "
                 "fisher='block_diagonal' or 'binary'";
}

double Factors::blind_trace(double lam) const {
    return rotated() ? static_cast<double>(length()) / lam : 0.0;
}

double Factors::blind_log_det(double lam) const {
    return rotated() ? static_cast<double>(length()) * std::log(lam) : 0.0;
}

bool Factors::rotated() const {
    return (kind == FactorKind::softmax && link != Link::columns) ||
           kind == FactorKind::gradient;
}

Factors make_factors(FactorKind kind, const VectorsView& vectors,
                     const MatrixView& probabilities, int64_t columns, int64_t merged) {
    Factors f;
    f.kind = kind;
    f.vectors = vectors;
    f.probabilities = probabilities;
    f.merged = merged;
    const bool wants_probabilities = kind != FactorKind::gaussian && kind != FactorKind::dense;
    if (wants_probabilities && probabilities.rows != vectors.rows)
        throw InputError("probabilities: wanted one row a sample");
    const int64_t C = probabilities.cols;
    const bool apart = kind == FactorKind::sigmoid || kind == FactorKind::block_diagonal;
    if (wants_probabilities && C < (apart ? 1 : 2))
        throw InputError("probabilities: wanted at least two classes (one a block)");
    constexpr int64_t kMostClasses = int64_t{1} << 24;  // numbers that a float holds exactly
    if (columns != 0 &&
        (kind != FactorKind::softmax || columns < 0 || columns >= C || C > kMostClasses))
        throw InputError("rank: wanted less than the number of classes of a softmax");
    if (merged < 1 || (merged > 1 && (kind != FactorKind::softmax || columns != 0)))
        throw InputError("merged: wanted 1, or the last classes of a softmax without rank");
    switch (kind) {
        case FactorKind::gaussian: break;
        case FactorKind::dense: f.rank = static_cast<int>(vectors.slots); break;
        case FactorKind::binary: f.link = Link::diagonal; break;
        case FactorKind::sigmoid:
        case FactorKind::block_diagonal:
            f.link = Link::diagonal;
            f.groups = static_cast<int>(C);
            break;
        case FactorKind::gradient:
            f.link = Link::vector;
            f.classes = static_cast<int>(C - 1);
            break;
        case FactorKind::softmax:
            f.link = C == 2 ? Link::diagonal : Link::softmax;
            f.classes = f.rank = static_cast<int>(C - 1);
            if (columns == 0) break;
            f.link = Link::columns;
            f.classes = static_cast<int>(C);
            f.rank = static_cast<int>(columns);
    }
    constexpr int64_t kBlasLimit = std::numeric_limits<int>::max();
    if (f.block() > kBlasLimit || f.panel_columns(Criterion::trace) > kBlasLimit)
        throw InputError("the problem has more parameters than BLAS can index (2^31 - 1)");
    return f;
}

}  // namespace fisher_select
