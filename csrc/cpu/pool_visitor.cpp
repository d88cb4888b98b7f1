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

PoolVisitor::PoolVisitor(PoolState<float>& pool) : pool_(pool), stride_(kMost + kLanes) {
    const Factors& f = pool.factors_;
    const auto buffer = [](std::initializer_list<int64_t> shape) {
        return Buffer<float>(shape, kPurpose, kLower);
    };
    x_ = buffer({f.vectors.slots, kMost, f.length()});
    products_ = buffer({f.vectors.slots, f.panel_columns(pool.options_.criterion), stride_});
    products_.zero();  // the lanes that pad the last block must hold numbers
    work_ = buffer({workspace(f.rank, f.inner())});
    lanes_.score = buffer({kMost});
    pool.for_arrays([&](Buffer<float> PoolArrays<float>::* array, int64_t width) {
        lanes_.*array = buffer({kMost, width});
        (lanes_.*array).zero();
    });
}

void PoolVisitor::visit(const int64_t* candidates, int64_t count, const float* panels,
                        int64_t picks) {
    const Factors& f = pool_.factors_;
    const int64_t slots = f.vectors.slots, size = pool_.panel_.size();
    rows_.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i)
        rows_[static_cast<size_t>(i)] = pool_.rows_[candidates[i]];
    for (int64_t slot = 0; slot < slots; ++slot)
        copy_rows(f.vectors, {rows_.data(), count}, 0, count, slot,
                  x_.data() + slot * kMost * f.length());
    // move(a candidate's values, its lane, how many) of one of the pool's arrays.
    const auto for_candidates = [&](Buffer<float> PoolArrays<float>::* array, int64_t width,
                                    const auto& move) {
        for (int64_t i = 0; i < count; ++i)
            move((pool_.arrays_.*array).data() + candidates[i] * width,
                 (lanes_.*array).data() + i / kLanes * width * kLanes + i % kLanes, width);
    };
    pool_.for_arrays([&](Buffer<float> PoolArrays<float>::* array, int64_t width) {
        for_candidates(array, width, [](const float* own, float* lane, int64_t values) {
            for (int64_t e = 0; e < values; ++e) lane[e * kLanes] = own[e];
        });
    });
    const PoolChunk<float> chunk = pool_.chunk(lanes_, 0, count, work_.data());
    for (int64_t pick = 0; pick < picks; ++pick) {
        for (int64_t slot = 0; slot < slots; ++slot)
            pool_.multiply({x_.data() + slot * kMost * f.length(), f.length()}, count,
                           panels + pick * size, slot, products_.data(), stride_);
        pool_.kernels_.update(chunk, products_.data(), stride_,
                              static_cast<float>(pool_.options_.sign));
    }
    pool_.for_state([&](Buffer<float> PoolArrays<float>::* array, int64_t width) {
        for_candidates(array, width, [](float* own, const float* lane, int64_t values) {
            for (int64_t e = 0; e < values; ++e) own[e] = lane[e * kLanes];
        });
    });
    for (int64_t i = 0; i < count; ++i) pool_.arrays_.score[candidates[i]] = lanes_.score[i];
}

}  // namespace fisher_select::cpu
