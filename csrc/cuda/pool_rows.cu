// SPDX-License-Identifier: Apache-2.0
// See pool_rows.h.
#include "pool_rows.h"

#include <type_traits>

#include "launch.h"

namespace fisher_select::cuda {
namespace {

/// A thread an element; neighbours along the vector.
template <class T>
__global__ void convert_rows(VectorsView vectors, RowList rows, int64_t begin, int64_t size,
                             int64_t slot, T* to) {
    const int64_t entry = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (entry >= size * vectors.length) return;
    to[entry] = static_cast<T>(
        vectors.at(rows[begin + entry / vectors.length], slot, entry % vectors.length));
}

}  // namespace

template <class T>
PoolRows<T>::PoolRows(const Device& device, const VectorsView& vectors, const RowList& rows,
                      int64_t capacity)
    : device_(device), vectors_(vectors), rows_(rows), capacity_(capacity) {
    const DType own = std::is_same_v<T, float> ? DType::float32 : DType::float64;
    in_place_ = rows.all() && vectors.dtype == own && vectors.element_stride == 1 &&
                vectors.row_stride >= vectors.length;
    if (!in_place_)
        converted_ = DeviceBuffer<T>(device, {vectors.slots, capacity, vectors.length},
                                     "a chunk of converted vectors", "lower chunk_rows");
}

template <class T>
RowChunk<T> PoolRows<T>::load(int64_t begin, int64_t size, int64_t slot) {
    if (in_place_)
        return {static_cast<const T*>(vectors_.data) + begin * vectors_.row_stride +
                    slot * vectors_.slot_stride,
                vectors_.row_stride};
    T* to = converted_.data() + slot * capacity_ * vectors_.length;
    launch(device_, "read the pool", one_thread_each(size * vectors_.length), &convert_rows<T>,
           vectors_, rows_, begin, size, slot, to);
    return {to, vectors_.length};
}

template class PoolRows<float>;
template class PoolRows<double>;

}  // namespace fisher_select::cuda
