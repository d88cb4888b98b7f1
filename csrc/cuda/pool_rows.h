// SPDX-License-Identifier: Apache-2.0
// The pool's vectors as a GEMM wants them, chunk by chunk: in place where the caller's array
// has the precision and unit strides, else converted into a workspace.
#pragma once

#include <cstdint>

#include "device.h"
#include "memory.h"
#include "view.h"

namespace fisher_select::cuda {

/// Vectors of some rows [rows, length], row i at data + i * stride.
template <class T>
struct RowChunk {
    const T* data = nullptr;
    int64_t stride = 0;
};

template <class T>
class PoolRows {
public:
    /// `rows` on the device; at most `capacity` rows are asked for at once.
    PoolRows(const Device& device, const VectorsView& vectors, const RowList& rows,
             int64_t capacity);

    /// Vectors of rows [begin, begin + size) in one slot. Converted ones are overwritten by the
    /// next call for that slot.
    RowChunk<T> load(int64_t begin, int64_t size, int64_t slot);

private:
    const Device& device_;
    VectorsView vectors_;
    RowList rows_;
    int64_t capacity_;
    bool in_place_;
    DeviceBuffer<T> converted_;  // [slots, capacity, length]
};

}  // namespace fisher_select::cuda
