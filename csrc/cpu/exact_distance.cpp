// SPDX-License-Identifier: Apache-2.0
// Distances from differences; see exact_distance.h.
#include "exact_distance.h"

#include <algorithm>

#include "parallel.h"
#include "rows.h"

namespace fisher_select::cpu {
namespace {

constexpr int64_t kTaskRows = 256;

template <class T>
void copy_all(const Context& context, const VectorsView& v, std::byte* to) {
    parallel_for(context, (v.rows + kTaskRows - 1) / kTaskRows, [&](int64_t task, int) {
        const int64_t begin = task * kTaskRows;
        copy_rows(v, RowList{nullptr, v.rows}, begin, std::min(kTaskRows, v.rows - begin), 0,
                  reinterpret_cast<T*>(to) + begin * v.length);
    });
}

/// The vectors as they lie where a vector is contiguous, else in `copy`, in their own width.
VectorsView contiguous(const Context& context, const VectorsView& v, Buffer<std::byte>& copy) {
    if (v.data == nullptr || v.element_stride == 1) return v;
    const bool single = v.dtype == DType::float32;
    const int64_t width = static_cast<int64_t>(single ? sizeof(float) : sizeof(double));
    copy = Buffer<std::byte>({v.rows, v.length, width}, "a copy with contiguous rows",
                             "pass arrays in C order, which are read in place");
    if (single)
        copy_all<float>(context, v, copy.data());
    else
        copy_all<double>(context, v, copy.data());
    return {copy.data(), v.dtype, v.rows, 1, v.length, v.length, 0, 1};
}

template <class T>
const T* row_of(const VectorsView& v, int64_t row) {
    return static_cast<const T*>(v.data) + row * v.row_stride;
}

void load(const VectorsView& v, int64_t row, double* to) {
    if (v.dtype == DType::float32)
        pack_row(row_of<float>(v, row), 1, v.length, to);
    else
        pack_row(row_of<double>(v, row), 1, v.length, to);
}

}  // namespace

ExactDistance::ExactDistance(const Context& context, const VectorsView& features,
                             const MatrixView& probabilities, const DistanceKernels& kernels)
    : features_(contiguous(context, features, features_copy_)),
      probabilities_(contiguous(
          context,
          {probabilities.data, probabilities.dtype, probabilities.rows, 1, probabilities.cols,
           probabilities.row_stride, 0, probabilities.col_stride},
          probabilities_copy_)),
      kernels_(kernels) {
    if (!gradient()) return;
    likely_ = Buffer<int32_t>({rows()}, "the pool's classes", "select from a part of the pool");
    parallel_for(context, (rows() + kTaskRows - 1) / kTaskRows, [&](int64_t task, int) {
        const int64_t end = std::min(rows(), (task + 1) * kTaskRows);
        for (int64_t i = task * kTaskRows; i < end; ++i) {
            int64_t likely = 0;
            for (int64_t c = 1; c < classes(); ++c)
                if (probabilities_.at(i, 0, c) > probabilities_.at(i, 0, likely)) likely = c;
            likely_[i] = static_cast<int32_t>(likely);
        }
    });
}

void ExactDistance::project(int64_t begin, int64_t count, const double* mean,
                            const double* basis, double* coordinates, double* squares) const {
    const VectorsView& v = features_;
    if (v.dtype == DType::float32)
        kernels_.project_float(row_of<float>(v, begin), v.row_stride, count, v.length, mean,
                               basis, coordinates, squares);
    else
        kernels_.project_double(row_of<double>(v, begin), v.row_stride, count, v.length, mean,
                                basis, coordinates, squares);
}

void ExactDistance::load_features(int64_t row, double* to) const { load(features_, row, to); }

void ExactDistance::load_residual(int64_t row, double* to) const {
    for (int64_t c = 0; c < classes(); ++c) to[c] = residual(row, c);
}

double ExactDistance::between_features(int64_t row, int64_t center) const {
    const VectorsView& v = features_;
    if (v.dtype == DType::float32)
        return kernels_.square_float(row_of<float>(v, row), row_of<float>(v, center), v.length);
    return kernels_.square_double(row_of<double>(v, row), row_of<double>(v, center), v.length);
}

double ExactDistance::between_gradients(int64_t row, int64_t center) const {
    const VectorsView& v = features_;
    const Difference x = v.dtype == DType::float32
                             ? kernels_.difference_float(row_of<float>(v, row),
                                                         row_of<float>(v, center), v.length)
                             : kernels_.difference_double(row_of<double>(v, row),
                                                          row_of<double>(v, center), v.length);
    Difference s{0.0, 0.0, 0.0};
    for (int64_t c = 0; c < classes(); ++c) {
        const double r = residual(row, c), ds = residual(center, c) - r;
        s.square += ds * ds;
        s.along += ds * r;
        s.center += r * r;
    }
    return gradient_square(x, s);
}

}  // namespace fisher_select::cpu
