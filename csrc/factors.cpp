// SPDX-License-Identifier: Apache-2.0
// Factors of the output layer's Fisher information; the derivation is in factors.h.
#include "factors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "error.h"

namespace fisher_select {

void Factors::link_coefficients(int64_t i, double* s, double* mu) const {
    const int64_t C = probabilities.cols;
    const auto bernoulli = [](double q) { return std::sqrt(std::max(q * (1.0 - q), 0.0)); };
    switch (kind) {
        case FactorKind::gaussian:
        case FactorKind::dense: return;
        case FactorKind::sigmoid:
        case FactorKind::block_diagonal:
            for (int64_t c = 0; c < C; ++c) s[c] = bernoulli(probabilities.at(i, c));
            return;
        case FactorKind::binary: {
            double top = 0.0;
            for (int64_t c = 0; c < C; ++c) top = std::max(top, probabilities.at(i, c));
            s[0] = bernoulli(top);
            return;
        }
        case FactorKind::gradient: {
            int64_t top = 0;
            for (int64_t c = 1; c < C; ++c)
                if (probabilities.at(i, c) > probabilities.at(i, top)) top = c;
            const auto q = [&](int64_t c) {
                return (c == top ? 1.0 : 0.0) - probabilities.at(i, c);
            };
            const double last = q(C - 1) / (1.0 + std::sqrt(static_cast<double>(C)));
            for (int64_t c = 0; c + 1 < C; ++c) s[c] = q(c) - last;
            return;
        }
        case FactorKind::softmax: {
            double total = 0.0;  // float32 rows sum to 1 only nearly
            for (int64_t c = 0; c < C; ++c) total += probabilities.at(i, c);
            const double last = std::sqrt(std::max(probabilities.at(i, C - 1) / total, 0.0));
            if (C == 2) {
                s[0] = std::sqrt(2.0 * std::max(probabilities.at(i, 0) / total, 0.0)) * last;
                return;
            }
            const double beta = 1.0 / (1.0 + std::sqrt(static_cast<double>(C)));
            for (int64_t c = 0; c + 1 < C; ++c) {
                const double p = std::max(probabilities.at(i, c) / total, 0.0);
                s[c] = std::sqrt(p);
                mu[c] = p / (1.0 + last) - beta * last;
            }
        }
    }
}

void Factors::load_vector(int64_t i, int slot, double* x) const {
    for (int64_t k = 0; k < vectors.length; ++k) x[k] = vectors.at(i, slot, k);
}

namespace {

template <class T>
bool same_elements(const T* data, int64_t a, int64_t b, int64_t count, int64_t stride) {
    for (int64_t k = 0; k < count; ++k)
        if (data[a + k * stride] != data[b + k * stride]) return false;
    return true;
}

bool same_elements(const void* data, DType dtype, int64_t a, int64_t b, int64_t count,
                   int64_t stride) {
    return dtype == DType::float32
               ? same_elements(static_cast<const float*>(data), a, b, count, stride)
               : same_elements(static_cast<const double*>(data), a, b, count, stride);
}

}  // namespace

bool Factors::same(int64_t i, int64_t j) const {
    const VectorsView& v = vectors;
    for (int64_t slot = 0; slot < v.slots; ++slot)
        if (!same_elements(v.data, v.dtype, i * v.row_stride + slot * v.slot_stride,
                           j * v.row_stride + slot * v.slot_stride, v.length, v.element_stride))
            return false;
    const MatrixView& p = probabilities;
    return p.data == nullptr || same_elements(p.data, p.dtype, i * p.row_stride,
                                              j * p.row_stride, p.cols, p.col_stride);
}

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
