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
    copy = Buffer<std::byte>({v.rows, v.length, width(v.dtype)}, "a copy with contiguous rows",
                             "pass arrays in C order, which are read in place");
    if (v.dtype == DType::float32)
        copy_all<float>(context, v, copy.data());
    else
        copy_all<double>(context, v, copy.data());
    return {copy.data(), v.dtype, v.rows, 1, v.length, v.length, 0, 1};
}

/// Of a row of contiguous vectors.
const void* address(const VectorsView& v, int64_t row) {
    return static_cast<const std::byte*>(v.data) + row * v.row_stride * width(v.dtype);
}

template <class T>
const T* as(const void* vector) {
    return static_cast<const T*>(vector);
}

void load_vector(const void* vector, DType dtype, int64_t length, double* to) {
    if (dtype == DType::float32)
        pack_row(as<float>(vector), 1, length, to);
    else
        pack_row(as<double>(vector), 1, length, to);
}

void store_vector(const double* values, DType dtype, int64_t length, std::byte* to) {
    if (dtype == DType::float32)
        pack_row(values, 1, length, reinterpret_cast<float*>(to));
    else
        pack_row(values, 1, length, reinterpret_cast<double*>(to));
}

/// Bytes of a vector, up to where the next one is aligned.
int64_t padded_bytes(const VectorsView& v) {
    constexpr int64_t kAlign = 64;  // a cache line
    return (v.length * width(v.dtype) + kAlign - 1) / kAlign * kAlign;
}

}  // namespace

ExactDistance::ExactDistance(const Context& context, const VectorsView& features,
                             const MatrixView& probabilities, const DistanceKernels& kernels)
    : features_(contiguous(context, features, features_copy_)),
      probabilities_(contiguous(context, as_vectors(probabilities), probabilities_copy_)),
      features_read_(features_, context.threads),
      probabilities_read_(probabilities_, context.threads),
      kernels_(kernels) {
    if (!gradient()) return;
    likely_ = Buffer<int32_t>({rows()}, "the pool's classes", "select from a part of the pool");
    parallel_for(context, (rows() + kTaskRows - 1) / kTaskRows, [&](int64_t task, int) {
        const int64_t begin = task * kTaskRows, end = std::min(rows(), begin + kTaskRows);
        const SweptRows swept(probabilities_, begin, end - begin);
        for (int64_t i = begin; i < end; ++i)
            likely_[i] = likeliest(address(probabilities_, i));
    });
}

int32_t ExactDistance::likeliest(const void* probabilities) const {
    const auto p = [&](int64_t c) { return value_at(probabilities, probabilities_.dtype, c); };
    int64_t likely = 0;
    for (int64_t c = 1; c < classes(); ++c)
        if (p(c) > p(likely)) likely = c;
    return static_cast<int32_t>(likely);
}

Point ExactDistance::point(int64_t row) const {
    if (!gradient()) return {address(features_, row), nullptr, 0};
    return {address(features_, row), address(probabilities_, row), likely_[row]};
}

void ExactDistance::project(int64_t begin, int64_t count, const double* mean,
                            const double* basis, double* coordinates, double* squares) const {
    const VectorsView& v = features_;
    const void* first = address(v, begin);
    const SweptRows swept(v, begin, count);
    if (v.dtype == DType::float32)
        kernels_.project_float(as<float>(first), v.row_stride, count, v.length, mean, basis,
                               coordinates, squares);
    else
        kernels_.project_double(as<double>(first), v.row_stride, count, v.length, mean, basis,
                                coordinates, squares);
}

void ExactDistance::load_features(const Point& point, double* to) const {
    features_read_.reads(point.features);
    load_vector(point.features, features_.dtype, length(), to);
}

void ExactDistance::load_residual(const Point& point, double* to) const {
    probabilities_read_.reads(point.probabilities);
    for (int64_t c = 0; c < classes(); ++c) to[c] = residual(point, c);
}

void ExactDistance::load(const Point& point, double* values) const {
    reads(point);
    load_vector(point.features, features_.dtype, length(), values);
    if (gradient())
        load_vector(point.probabilities, probabilities_.dtype, classes(), values + length());
}

int64_t ExactDistance::room_bytes() const {
    return padded_bytes(features_) + (gradient() ? padded_bytes(probabilities_) : 0);
}

Point ExactDistance::lay_down(const double* values, std::byte* room) const {
    store_vector(values, features_.dtype, length(), room);
    if (!gradient()) return {room, nullptr, 0};
    std::byte* p = room + padded_bytes(features_);
    store_vector(values + length(), probabilities_.dtype, classes(), p);
    return {room, p, likeliest(p)};
}

double ExactDistance::between_features(const Point& a, const Point& center) const {
    if (features_.dtype == DType::float32)
        return kernels_.square_float(as<float>(a.features), as<float>(center.features),
                                     length());
    return kernels_.square_double(as<double>(a.features), as<double>(center.features),
                                  length());
}

double ExactDistance::between_gradients(const Point& a, const Point& center) const {
    const Difference x =
        features_.dtype == DType::float32
            ? kernels_.difference_float(as<float>(a.features), as<float>(center.features),
                                        length())
            : kernels_.difference_double(as<double>(a.features), as<double>(center.features),
                                         length());
    Difference s{0.0, 0.0, 0.0};
    for (int64_t c = 0; c < classes(); ++c) {
        const double r = residual(a, c), ds = residual(center, c) - r;
        s.square += ds * ds;
        s.along += ds * r;
        s.center += r * r;
    }
    return gradient_square(x, s);
}

}  // namespace fisher_select::cpu
