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
               : "lower the feature width or the number of classes, or choose "
                 "fisher='block_diagonal' or 'binary'";
}

double Factors::blind_trace(double lam) const {
    return kind == FactorKind::softmax ? static_cast<double>(length()) / lam : 0.0;
}

double Factors::blind_log_det(double lam) const {
    const bool rotated = kind == FactorKind::softmax || kind == FactorKind::gradient;
    return rotated ? static_cast<double>(length()) * std::log(lam) : 0.0;
}

Factors make_factors(FactorKind kind, const VectorsView& vectors,
                     const MatrixView& probabilities) {
    Factors f;
    f.kind = kind;
    f.vectors = vectors;
    f.probabilities = probabilities;
    const bool wants_probabilities = kind != FactorKind::gaussian && kind != FactorKind::dense;
    if (wants_probabilities && probabilities.rows != vectors.rows)
        throw InputError("probabilities: wanted one row a sample");
    const int64_t C = probabilities.cols;
    if (wants_probabilities && C < (kind == FactorKind::sigmoid ? 1 : 2))
        throw InputError("probabilities: wanted at least two classes (one label for sigmoid)");
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
    }
    constexpr int64_t kBlasLimit = std::numeric_limits<int>::max();
    if (f.block() > kBlasLimit || 2 * f.link_size() * f.inner() > kBlasLimit)
        throw InputError("the problem has more parameters than BLAS can index (2^31 - 1)");
    return f;
}

}  // namespace fisher_select
