// SPDX-License-Identifier: Apache-2.0
// Visits to single candidates; see pool_visitor.h. The arithmetic is the sweep's own.
#include "pool_visitor.h"

#include <algorithm>

#include "rows.h"

namespace fisher_select::cpu {
namespace {

constexpr const char* kPurpose = "a thread's workspace for visits";
constexpr const char* kLower = "lower threads";

}  // namespace

template <class T>
PoolVisitor<T>::PoolVisitor(PoolState<T>& pool) : pool_(pool), stride_(kMost + kLanes) {
    const Factors& f = pool.factors_;
    const auto buffer = [](std::initializer_list<int64_t> shape) {
        return Buffer<T>(shape, kPurpose, kLower);
    };
    x_ = buffer({f.vectors.slots, kMost, f.length()});
    products_ = buffer({f.vectors.slots, f.panel_columns(pool.options_.criterion), stride_});
    products_.zero();  // the lanes that pad the last block must hold numbers
    work_ = buffer({workspace(f.rank, f.inner())});
    lanes_.score = buffer({kMost});
    pool.for_arrays([&](Buffer<T> PoolArrays<T>::* array, int64_t width) {
        lanes_.*array = buffer({kMost, width});
        (lanes_.*array).zero();
    });
}

template <class T>
void PoolVisitor<T>::visit(const int64_t* candidates, int64_t count, const T* panels,
                           int64_t picks) {
    const Factors& f = pool_.factors_;
    const int64_t slots = f.vectors.slots, size = pool_.panel_.size();
    rows_.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i)
        rows_[static_cast<size_t>(i)] = pool_.rows_[candidates[i]];
    for (int64_t slot = 0; slot < slots; ++slot)
        copy_rows(f.vectors, {rows_.data(), count}, 0, count, slot,
                  x_.data() + slot * kMost * f.length());
    const auto for_values = [&](bool of_links, const auto& move) {
        pool_.for_arrays([&](Buffer<T> PoolArrays<T>::* array, int64_t width) {
            const bool link = array == &PoolArrays<T>::s || array == &PoolArrays<T>::mu;
            if (link && !of_links) return;
            for (int64_t i = 0; i < count; ++i)
                move((pool_.arrays_.*array).data() + candidates[i] * width,
                     (lanes_.*array).data() + i / kLanes * width * kLanes + i % kLanes, width);
        });
    };
    for_values(true, [](const T* own, T* lane, int64_t width) {
        for (int64_t e = 0; e < width; ++e) lane[e * kLanes] = own[e];
    });
    const PoolChunk<T> chunk = pool_.chunk(lanes_, 0, count, work_.data());
    for (int64_t pick = 0; pick < picks; ++pick) {
        for (int64_t slot = 0; slot < slots; ++slot)
            pool_.multiply({x_.data() + slot * kMost * f.length(), f.length()}, count,
                           panels + pick * size, slot, products_.data(), stride_);
        pool_.kernels_.update(chunk, products_.data(), stride_,
                              static_cast<T>(pool_.options_.sign));
    }
    for_values(false, [](T* own, const T* lane, int64_t width) {
        for (int64_t e = 0; e < width; ++e) own[e] = lane[e * kLanes];
    });
    for (int64_t i = 0; i < count; ++i) pool_.arrays_.score[candidates[i]] = lanes_.score[i];
}

template class PoolVisitor<float>;

}  // namespace fisher_select::cpu
