// SPDX-License-Identifier: Apache-2.0
// Views: pointers that know their shape. The core owns no user data; it reads the caller's
// arrays where they lie, whatever their strides and float width.
#pragma once

#include <cstdint>

#include "portable.h"

namespace fisher_select {

enum class DType { float32, float64 };

FS_HOST_DEVICE double value_at(const void* data, DType dtype, int64_t offset) {
    return dtype == DType::float32
               ? static_cast<double>(static_cast<const float*>(data)[offset])
               : static_cast<const double*>(data)[offset];
}

inline const void* element_at(const void* data, DType dtype, int64_t offset) {
    return dtype == DType::float32
               ? static_cast<const void*>(static_cast<const float*>(data) + offset)
               : static_cast<const double*>(data) + offset;
}

/// A caller's matrix [rows, cols]; strides are in elements and may be negative or zero.
struct MatrixView {
    const void* data = nullptr;
    DType dtype = DType::float32;
    int64_t rows = 0, cols = 0;
    int64_t row_stride = 0, col_stride = 0;
    bool mapped = false;  // a file's pages, which may be forgotten and read again

    FS_HOST_DEVICE double at(int64_t i, int64_t j) const {
        return value_at(data, dtype, i * row_stride + j * col_stride);
    }
    /// Rows [begin, begin + count).
    MatrixView slice(int64_t begin, int64_t count) const {
        MatrixView part = *this;
        part.data = element_at(data, dtype, begin * row_stride);
        part.rows = count;
        return part;
    }
};

/// A caller's vector [count]; the stride is in elements and may be negative or zero.
struct ValuesView {
    const void* data = nullptr;
    DType dtype = DType::float32;
    int64_t count = 0, stride = 1;
};

/// The pool's vectors [rows, slots, length]: one slot a row for features, r slots for dense
/// factors (column j of V_i is slot j). Strides are in elements.
struct VectorsView {
    const void* data = nullptr;
    DType dtype = DType::float32;
    int64_t rows = 0, slots = 1, length = 0;
    int64_t row_stride = 0, slot_stride = 0, element_stride = 1;
    bool mapped = false;  // as above

    FS_HOST_DEVICE double at(int64_t i, int64_t slot, int64_t k) const {
        return value_at(data, dtype, i * row_stride + slot * slot_stride + k * element_stride);
    }
    /// Rows [begin, begin + count).
    VectorsView slice(int64_t begin, int64_t count) const {
        VectorsView part = *this;
        part.data = element_at(data, dtype, begin * row_stride);
        part.rows = count;
        return part;
    }
};

/// A matrix as one vector a row.
inline VectorsView as_vectors(const MatrixView& m) {
    return {m.data, m.dtype, m.rows, 1, m.cols, m.row_stride, 0, m.col_stride, m.mapped};
}

/// A list of row numbers. Without an index it means the first `count` rows in order, which
/// can then be read in place.
struct RowList {
    const int64_t* index = nullptr;
    int64_t count = 0;

    FS_HOST_DEVICE bool all() const { return index == nullptr; }
    FS_HOST_DEVICE int64_t operator[](int64_t i) const { return index ? index[i] : i; }
};

}  // namespace fisher_select
