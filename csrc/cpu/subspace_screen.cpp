// SPDX-License-Identifier: Apache-2.0
// The subspace and its Q and P; see subspace_screen.h.
#include "subspace_screen.h"

#include <algorithm>
#include <vector>

#include "mapped_rows.h"
#include "parallel.h"
#include "portable.h"
#include "rng.h"
#include "rows.h"
#include "scattered_rows.h"
#include "subspace.h"

namespace fisher_select::cpu {
namespace {

constexpr int64_t kMost = 56;       // directions: with more a screen saves too little
constexpr double kLeading = 0.95;   // of the squares
constexpr int64_t kSampled = 2048;  // vectors that the directions are chosen by
constexpr uint64_t kSeed = 21;      // any will do; a fixed one repeats
constexpr int64_t kRows = 512;      // of the pool, taken into the subspace at once
constexpr const char* kPurpose = "the pool's leading directions";
constexpr const char* kRemedy = "choose search='full'";

}  // namespace

SubspaceScreen::SubspaceScreen(const Context& context, const Factors& factors,
                               const RowList& rows, const PoolKernels<float>& kernels)
    : context_(context),
      factors_(factors),
      kernels_(kernels),
      pairs_(triangle(factors.inner())),
      blocks_(factors.kind == FactorKind::dense ? 1 : pairs_) {
    choose_directions(rows);
    const int64_t q = directions_, blocks = block_count();
    forms_ = Buffer<double>({blocks, q, q}, kPurpose, kRemedy);
    images_ = Buffer<double>({factors.panel_columns(Criterion::trace), q}, kPurpose, kRemedy);
    weights_ = Buffer<float>({ceil_div(blocks, kFormColumns), triangle_of(q), kFormColumns},
                             kPurpose, kRemedy);
    load_vectors(rows);
}

void SubspaceScreen::choose_directions(const RowList& rows) {
    const int64_t d = factors_.length(), slots = factors_.vectors.slots;
    const int64_t count = std::min(rows.count, std::max<int64_t>(1, kSampled / slots));
    Buffer<double> sample({count * slots, d}, kPurpose, kRemedy);
    ScatteredRows scattered(factors_.vectors, 1);
    for (int64_t i = 0; i < count; ++i) {
        const auto word = random_word(kSeed, static_cast<uint64_t>(i));
        const int64_t row =
            count == rows.count
                ? i
                : static_cast<int64_t>(word % static_cast<uint64_t>(rows.count));
        scattered.reads(rows[row]);
        for (int64_t slot = 0; slot < slots; ++slot)
            factors_.load_vector(rows[row], static_cast<int>(slot),
                                 sample.data() + (i * slots + slot) * d);
    }
    directions_ = std::min(kMost, d);
    const int64_t vectors = count * slots;
    basis_ = leading_directions(context_.blas, sample, vectors, d, directions_);
    Buffer<double> images({vectors, directions_}, kPurpose, kRemedy);
    context_.blas.gemm('T', 'N', static_cast<int>(directions_), static_cast<int>(vectors),
                       static_cast<int>(d), 1.0, basis_.data(), static_cast<int>(d),
                       sample.data(), static_cast<int>(d), 0.0, images.data(),
                       static_cast<int>(directions_));
    double total = 0.0, held = 0.0;
    for (int64_t k = 0; k < sample.size(); ++k) total += sample[k] * sample[k];
    do {
        for (const int64_t end = std::min(directions_, leading_ + kStep); leading_ < end;
             ++leading_)
            for (int64_t i = 0; i < vectors; ++i) {
                const double along = images[i * directions_ + leading_];
                held += along * along;
            }
    } while (leading_ < directions_ && held < kLeading * total);
}

void SubspaceScreen::load_vectors(const RowList& rows) {
    const VectorsView& v = factors_.vectors;
    const int64_t d = v.length, slots = v.slots, q = directions_;
    vectors_ = Buffer<float>({rows.count, slots, q}, kPurpose, kRemedy);
    std::vector<float> basis(static_cast<size_t>(q * d));
    for (int64_t k = 0; k < q * d; ++k)
        basis[static_cast<size_t>(k)] = static_cast<float>(basis_[k]);
    const bool streamed = streams(v, rows);
    parallel_for(context_, ceil_div(rows.count, kRows), [&](int64_t task, int) {
        const int64_t begin = task * kRows, size = std::min(kRows, rows.count - begin);
        Buffer<float> copy;
        if (!reads_in_place<float>(v, rows)) copy = Buffer<float>({size, d}, kPurpose, kRemedy);
        if (streamed) read_ahead(v, begin, size);
        for (int64_t slot = 0; slot < slots; ++slot) {
            const RowChunk<float> x = load_rows(v, rows, begin, size, slot, copy.data());
            context_.blas.gemm('T', 'N', static_cast<int>(q), static_cast<int>(size),
                               static_cast<int>(d), 1.0F, basis.data(), static_cast<int>(d),
                               x.data, static_cast<int>(x.stride), 0.0F,
                               vectors_.data() + (begin * slots + slot) * q,
                               static_cast<int>(slots * q));
        }
        if (streamed) let_go(v, begin, size);
    });
}

void SubspaceScreen::restart(const Information& information) {
    const int64_t q = directions_, groups = factors_.groups;
    const auto length = factors_.length();
    const int d = static_cast<int>(length), side = static_cast<int>(q);
    parallel_for(context_, block_count(), [&](int64_t task, int) {
        const bool of_p = task / blocks_ / groups == 1;
        const int group = static_cast<int>(task / blocks_ % groups);
        const SquareMatrix& matrix = of_p ? information.P(group) : information.Q(group);
        const auto [a, b] = triangle_entry(task % blocks_);
        const double* block = matrix.at(a * length, b * length);
        std::vector<double> image(static_cast<size_t>(length * q));
        context_.blas.gemm('N', 'N', d, side, d, 1.0, block, static_cast<int>(matrix.n),
                           basis_.data(), d, 0.0, image.data(), d);
        context_.blas.gemm('T', 'N', side, side, d, 1.0, basis_.data(), d, image.data(), d, 0.0,
                           form(of_p, group, task % blocks_), side);
    });
    load_weights();
}

void SubspaceScreen::update(const Buffer<double>& panel) {
    const int64_t q = directions_, c = factors_.classes;
    const int d = static_cast<int>(factors_.length()), side = static_cast<int>(q),
              r = factors_.rank;
    const int64_t columns = update_columns(Criterion::trace, r);
    context_.blas.gemm('T', 'N', side, static_cast<int>(factors_.groups * c * columns), d, 1.0,
                       basis_.data(), d, panel.data(), d, 0.0, images_.data(), side);
    parallel_for(context_, factors_.groups * blocks_, [&](int64_t task, int) {
        const int64_t block = task % blocks_, group = task / blocks_;
        const auto [a, b] = triangle_entry(block);
        // U | R of a class, in the subspace: [q, 2 r].
        const double* left = images_.data() + (group * c + a) * columns * q;
        const double* right = images_.data() + (group * c + b) * columns * q;
        const auto subtract = [&](bool of_p, const double* one, const double* other) {
            context_.blas.gemm('N', 'T', side, side, r, -1.0, one, side, other, side, 1.0,
                               form(of_p, group, block), side);
        };
        subtract(false, left, right);
        subtract(true, left, right + r * q);
        subtract(true, left + r * q, right);
    });
    load_weights();
}

void SubspaceScreen::load_weights() {
    const int64_t q = directions_, columns = block_count(), steps = ceil_div(q, kStep);
    parallel_for(context_, ceil_div(columns, kFormColumns) * steps, [&](int64_t task, int) {
        const int64_t panel = task / steps, first = task % steps * kStep;
        float* to =
            weights_.data() + (panel * triangle_of(q) + triangle_of(first)) * kFormColumns;
        for (int64_t c = 0; c < std::min(kFormColumns, columns - panel * kFormColumns); ++c) {
            const double* from = forms_.data() + (panel * kFormColumns + c) * q * q;
            float* own = to + c;
            for (int64_t i = first; i < std::min(q, first + kStep); ++i)
                for (int64_t j = 0; j <= i; ++j, own += kFormColumns)
                    *own = static_cast<float>(i == j ? from[i * q + i]
                                                     : from[i * q + j] + from[j * q + i]);
        }
    });
}

void SubspaceScreen::compute(const int64_t* candidates, int64_t count, int64_t q, float* work,
                             float* products, int64_t stride) const {
    const int64_t slots = factors_.vectors.slots;
    // By blocks of candidates, so that a line of `work` is written at once.
    for (int64_t begin = 0; begin < count; begin += kLanes) {
        const int64_t size = std::min<int64_t>(kLanes, count - begin);
        for (int64_t slot = 0; slot < slots; ++slot) {
            const float* own[kLanes] = {};
            for (int64_t i = 0; i < size; ++i)
                own[i] = vectors_.data() + (candidates[begin + i] * slots + slot) * directions_;
            for (int64_t k = 0; k < q; ++k)
                for (int64_t i = 0; i < size; ++i)
                    work[(slot * q + k) * stride + begin + i] = own[i][k];
        }
    }
    const bool dense = factors_.kind == FactorKind::dense;
    for (int a = 0; a < slots; ++a)
        for (int b = 0; b <= a; ++b)
            // Of a dense factor Q and P are one column each, the pairs apart.
            kernels_.pair_forms(work + a * q * stride, work + b * q * stride, q, stride,
                                lane_blocks(count), weights_.data(), triangle_of(directions_),
                                block_count(), products + (triangle(a) + b) * stride,
                                dense ? pairs_ * stride : stride);
}

}  // namespace fisher_select::cpu
