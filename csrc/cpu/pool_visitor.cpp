// SPDX-License-Identifier: Apache-2.0
// Visits to single candidates; see pool_visitor.h. The arithmetic is the sweep's own.
#include "pool_visitor.h"

#include <algorithm>

#include "rows.h"

namespace fisher_select::cpu {
namespace {

Buffer<float> workspace_of(std::initializer_list<int64_t> shape) {
    return {shape, "a thread's workspace for visits", "lower threads"};
}

}  // namespace

PoolVisitor::PoolVisitor(PoolState<float>& pool)
    : pool_(pool),
      stride_(kMost + kLanes),
      scattered_(pool.factors_.vectors, pool.context_.threads) {
    const Factors& f = pool.factors_;
    x_ = workspace_of({f.vectors.slots, kMost, f.length()});
    products_ =
        workspace_of({f.vectors.slots, f.panel_columns(pool.options_.criterion), stride_});
    products_.zero();  // the lanes that pad the last block must hold numbers
    work_ = workspace_of({workspace(f.rank, f.inner())});
    lanes_.score = workspace_of({kMost});
    pool.for_arrays([&](Buffer<float> PoolArrays<float>::* array, int64_t width) {
        lanes_.*array = workspace_of({kMost, width});
        (lanes_.*array).zero();
    });
}

/// The candidates' vectors into x_.
void PoolVisitor::gather_rows(const int64_t* candidates, int64_t count) {
    const VectorsView& v = pool_.factors_.vectors;
    rows_.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
        rows_[static_cast<size_t>(i)] = pool_.rows_[candidates[i]];
        scattered_.reads(rows_[static_cast<size_t>(i)]);
    }
    for (int64_t slot = 0; slot < v.slots; ++slot)
        copy_rows(v, {rows_.data(), count}, 0, count, slot,
                  x_.data() + slot * kMost * v.length);
}

const float* PoolVisitor::rows_of(int64_t slot) const {
    return x_.data() + slot * kMost * pool_.factors_.length();
}

/// move(a candidate's values, its lane, how many) of some of the pool's arrays.
template <class ForArrays, class Move>
void PoolVisitor::for_candidates(const int64_t* candidates, int64_t count,
                                 const ForArrays& for_arrays, const Move& move) {
    for_arrays([&](Buffer<float> PoolArrays<float>::* array, int64_t width) {
        for (int64_t i = 0; i < count; ++i)
            move((pool_.arrays_.*array).data() + candidates[i] * width,
                 (lanes_.*array).data() + i / kLanes * width * kLanes + i % kLanes, width);
    });
}

/// Some of the candidates' arrays into lanes_.
template <class ForArrays>
void PoolVisitor::gather(const int64_t* candidates, int64_t count,
                         const ForArrays& for_arrays) {
    for_candidates(candidates, count, for_arrays,
                   [](const float* own, float* lane, int64_t width) {
                       for (int64_t e = 0; e < width; ++e) lane[e * kLanes] = own[e];
                   });
}

void PoolVisitor::scatter_state(const int64_t* candidates, int64_t count) {
    for_candidates(
        candidates, count, [&](const auto& body) { pool_.for_state(body); },
        [](float* own, const float* lane, int64_t width) {
            for (int64_t e = 0; e < width; ++e) own[e] = lane[e * kLanes];
        });
    for (int64_t i = 0; i < count; ++i) pool_.arrays_.score[candidates[i]] = lanes_.score[i];
}

void PoolVisitor::visit(const int64_t* candidates, int64_t count, const float* panels,
                        int64_t picks) {
    const Factors& f = pool_.factors_;
    gather_rows(candidates, count);
    gather(candidates, count, [&](const auto& body) { pool_.for_arrays(body); });
    const PoolChunk<float> chunk = pool_.chunk(lanes_, 0, count, work_.data());
    for (int64_t pick = 0; pick < picks; ++pick) {
        for (int64_t slot = 0; slot < f.vectors.slots; ++slot)
            pool_.multiply({rows_of(slot), f.length()}, count,
                           panels + pick * pool_.panel_size(), slot, products_.data(), stride_);
        pool_.kernels_.update(chunk, products_.data(), stride_,
                              static_cast<float>(pool_.options_.sign));
    }
    scatter_state(candidates, count);
}

void PoolVisitor::reset(const int64_t* candidates, int64_t count,
                        const Information& information, const PackedBlocks<float>& packed) {
    const Factors& f = pool_.factors_;
    if (!forms_)
        forms_ =
            std::make_unique<QuadraticForms<float>>(pool_.context_, f, pool_.kernels_, kMost);
    gather_rows(candidates, count);
    gather(candidates, count, [&](const auto& body) { pool_.for_links(body); });
    std::vector<RowChunk<float>> x;
    for (int64_t slot = 0; slot < f.vectors.slots; ++slot)
        x.push_back({rows_of(slot), f.length()});
    pool_.reset_chunk(pool_.chunk(lanes_, 0, count, work_.data()), information, x.data(), count,
                      *forms_, &packed);
    scatter_state(candidates, count);
}

void PoolVisitor::screen(const int64_t* candidates, int64_t count, const SubspaceScreen& screen,
                         int64_t q, float* scores) {
    if (coordinates_.empty()) {
        coordinates_ = workspace_of({screen.work_size(stride_)});
        coordinates_.zero();
        screened_ = workspace_of({screen.product_columns(), stride_});
        screened_.zero();
    }
    screen.compute(candidates, count, q, coordinates_.data(), screened_.data(), stride_);
    gather(candidates, count, [&](const auto& body) { pool_.for_links(body); });
    const PoolChunk<float> chunk = pool_.chunk(lanes_, 0, count, work_.data());
    const auto scale = static_cast<float>(pool_.options_.scale * pool_.options_.scale);
    const float* of_p = screened_.data() + screen.product_columns() / 2 * stride_;
    pool_.kernels_.reset(chunk, screened_.data(), stride_, scale, chunk.G);
    pool_.kernels_.reset(chunk, of_p, stride_, scale, chunk.H);
    pool_.kernels_.score(chunk, static_cast<float>(pool_.options_.sign));
    std::copy_n(lanes_.score.data(), count, scores);
}

}  // namespace fisher_select::cpu
