// SPDX-License-Identifier: Apache-2.0
// A chunk of the pool's vectors in the precision that is wanted: the caller's own array where
// it can be read in place, else a packed copy in the thread's buffer. Nothing larger than a
// chunk is ever copied, so memory-mapped pools stream.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "view.h"

namespace fisher_select::cpu {

template <class T>
struct RowChunk {
    const T* data;   // [rows, length]
    int64_t stride;  // between rows
};

template <class T>
constexpr DType dtype_of() {
    return sizeof(T) == sizeof(float) ? DType::float32 : DType::float64;
}

template <class To, class From>
void pack_row(const From* from, int64_t stride, int64_t length, To* to) {
    if (stride == 1)
        for (int64_t k = 0; k < length; ++k) to[k] = static_cast<To>(from[k]);
    else
        for (int64_t k = 0; k < length; ++k) to[k] = static_cast<To>(from[k * stride]);
}

/// Whether load_rows reads the caller's array itself: then it needs no buffer.
template <class T>
bool reads_in_place(const VectorsView& v, const RowList& rows) {
    return rows.all() && v.dtype == dtype_of<T>() && v.element_stride == 1 &&
           v.row_stride >= v.length && v.row_stride <= std::numeric_limits<int>::max();
}

/// Rows [begin, begin + count) of `rows`, one slot, converted into to [count, length]. Where
/// elements lie apart, by a cache line's worth of columns, so that a line of a Fortran-ordered
/// array is read once for all the rows on it.
template <class T>
void copy_rows(const VectorsView& v, const RowList& rows, int64_t begin, int64_t count,
               int64_t slot, T* to) {
    constexpr int64_t kColumns = 16;
    const int64_t step = v.element_stride == 1 ? v.length : kColumns;
    for (int64_t k = 0; k < v.length; k += step) {
        const int64_t width = std::min(step, v.length - k);
        for (int64_t i = 0; i < count; ++i) {
            const int64_t offset =
                rows[begin + i] * v.row_stride + slot * v.slot_stride + k * v.element_stride;
            if (v.dtype == DType::float32)
                pack_row(static_cast<const float*>(v.data) + offset, v.element_stride, width,
                         to + i * v.length + k);
            else
                pack_row(static_cast<const double*>(v.data) + offset, v.element_stride, width,
                         to + i * v.length + k);
        }
    }
}

/// The same, in place where it can be; buffer [count, length].
template <class T>
RowChunk<T> load_rows(const VectorsView& v, const RowList& rows, int64_t begin, int64_t count,
                      int64_t slot, T* buffer) {
    if (reads_in_place<T>(v, rows))
        return {static_cast<const T*>(v.data) + begin * v.row_stride + slot * v.slot_stride,
                v.row_stride};
    copy_rows(v, rows, begin, count, slot, buffer);
    return {buffer, v.length};
}

/// Rows a chunk: its vectors [rows, length] and its products [columns, rows] stay in a core's
/// second-level cache (1 MB of float32 each at the most), and a GEMM still has rows enough.
inline int64_t default_chunk_rows(int64_t length, int64_t columns) {
    constexpr int64_t kValues = 1 << 17, kMost = 512, kLeast = 16;
    const int64_t rows = std::min(kValues / std::max<int64_t>(length, 1),
                                  2 * kValues / std::max<int64_t>(columns, 1));
    return std::clamp(rows / kLeast * kLeast, kLeast, kMost);
}

}  // namespace fisher_select::cpu
