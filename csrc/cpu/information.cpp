// SPDX-License-Identifier: Apache-2.0
// Accumulation of M and F, and the blocked rank-r updates of Q and P; see information.h.
#include "information.h"

#include <algorithm>
#include <numeric>

#include "error.h"
#include "factor_entries.h"
#include "mapped_rows.h"
#include "parallel.h"
#include "portable.h"
#include "rows.h"

namespace fisher_select::cpu {
namespace {

constexpr int64_t kPanel = 64;  // columns of a block computed at once
// Columns of U before Q and P are consolidated: reading them costs what they save, so no more
// than a part of the matrices' own.
constexpr int64_t kPendingColumns = 192, kLeastPending = 16, kPendingPart = 8;
constexpr int64_t kVectors = 8;  // right-hand sides of one reading of Q and P
constexpr const char* kRemedy = "lower chunk_rows or threads";

}  // namespace

Information::Information(const Context& context, const Factors& factors,
                         const PoolKernels<double>& kernels, double lam, PoolFisher pool_fisher,
                         const Shard* shard)
    : context_(context),
      factors_(factors),
      kernels_(kernels),
      pool_fisher_(pool_fisher),
      shard_(shard),
      vectors_at_once_(std::max(kVectors, factors.vectors.slots)),
      capacity_(std::max<int64_t>(
          1, std::clamp(factors.block() / kPendingPart, kLeastPending, kPendingColumns) /
                 factors.rank)) {
    m_ = square_matrices();
    for (SquareMatrix& m : m_) {
        m.values.zero();
        for (int64_t i = 0; i < m.n; ++i) *m.at(i, i) = lam;
    }
    if (pool_fisher == PoolFisher::mean) {
        f_ = square_matrices();
        for (SquareMatrix& f : f_) f.values.zero();
        const int64_t samples = shard ? shard->rows : factors.count();
        accumulate(factors, {nullptr, factors.count()}, true,
                   1.0 / static_cast<double>(samples), f_);
        sum_over_ranks(f_);
    }
    const auto buffer = [&](std::initializer_list<int64_t> shape) {
        return Buffer<double>(shape, "the pending updates", kRemedy);
    };
    const int64_t columns = capacity_ * factors.rank, groups = factors.groups;
    u_ = buffer({groups, columns, factors.block()});
    u_dot_x_ = buffer({vectors_at_once_, groups, columns, factors.classes});
    if (!has_p()) return;
    r_ = buffer({groups, columns, factors.block()});
    r_dot_x_ = buffer({vectors_at_once_, groups, columns, factors.classes});
}

SquareMatrix Information::square_matrix() const {
    return {factors_.block(), "an information matrix (parameters squared, float64)",
            factors_.matrix_remedy(has_p() ? Criterion::trace : Criterion::log_det)};
}

std::vector<SquareMatrix> Information::square_matrices() const {
    std::vector<SquareMatrix> matrices;
    for (int g = 0; g < factors_.groups; ++g) matrices.push_back(square_matrix());
    return matrices;
}

void Information::add_labeled(const RowList& rows, double coefficient) {
    if (shard_ && shard_->collective.rank > 0)  // what M holds already counts once
        for (SquareMatrix& m : m_) m.values.zero();
    accumulate(factors_, rows, true, coefficient, m_);
    sum_over_ranks(m_);
}

void Information::add_samples(const Factors& pool, const RowList& rows, double coefficient) {
    accumulate(pool, rows, false, coefficient, m_);
}

/// By pieces, so that ranks far apart in a piece are told from ranks that are gone.
void Information::sum_over_ranks(std::vector<SquareMatrix>& matrices) const {
    if (shard_ == nullptr) return;
    constexpr int64_t kPiece = 1 << 20;
    for (SquareMatrix& matrix : matrices)
        for (int64_t begin = 0; begin < matrix.values.size(); begin += kPiece)
            shard_->collective.sum(matrix.values.data() + begin,
                                   std::min(kPiece, matrix.values.size() - begin));
}

void Information::accumulate(const Factors& f, const RowList& rows, bool all_columns,
                             double coefficient, std::vector<SquareMatrix>& target) {
    const int64_t d = f.length(), slots = f.vectors.slots, weights = f.groups * f.classes;
    // Chunks of a few MB of float64 vectors, and enough of them for a GEMM's inner dimension.
    const int64_t chunk =
        std::clamp((int64_t{1} << 18) / (d * slots), ceil_div(256, slots), int64_t{2048});
    Buffer<double> x({chunk, slots, d}, "a chunk of the pool in float64", kRemedy);
    Buffer<double> w({chunk, weights}, "a chunk of block weights", kRemedy);
    Buffer<double> m({chunk, weights}, "a chunk of block weights", kRemedy);
    Buffer<double> t({chunk}, "a chunk of block weights", kRemedy);
    Buffer<double> weighted({context_.threads, chunk * slots, kPanel}, "weighted vectors",
                            kRemedy);

    const int64_t panels = ceil_div(d, kPanel), pairs = triangle(f.classes);
    for (int64_t begin = 0; begin < rows.count; begin += chunk) {
        const int64_t size = std::min(chunk, rows.count - begin), vectors = size * slots;
        if (streams(f.vectors, rows)) read_ahead(f.vectors, begin, size);
        parallel_for(context_, ceil_div(size, 64), [&](int64_t task, int) {
            for (int64_t i = task * 64; i < std::min(size, task * 64 + 64); ++i) {
                const int64_t row = rows[begin + i];
                for (int64_t slot = 0; slot < slots; ++slot)
                    f.load_vector(row, static_cast<int>(slot),
                                  x.data() + (i * slots + slot) * d);
                t[i] =
                    f.weights(row, all_columns, w.data() + i * weights, m.data() + i * weights);
            }
        });
        if (streams(f.vectors, rows)) let_go(f.vectors, begin, size);
        parallel_for(context_, f.groups * pairs * panels, [&](int64_t task, int thread) {
            const int64_t first = task % panels * kPanel, width = std::min(kPanel, d - first);
            const auto [k, l] = triangle_entry(task / panels % pairs);
            const int64_t g = task / panels / pairs;
            double* panel = weighted.data() + thread * chunk * slots * kPanel;
            for (int64_t v = 0; v < vectors; ++v) {
                const int64_t own = v / slots * weights + g * f.classes;
                const double weight =
                    block_weight(w.data() + own, m.data() + own, t[v / slots], k, l);
                const double* from = x.data() + v * d + first;
                for (int64_t j = 0; j < width; ++j) panel[v * width + j] = weight * from[j];
            }
            SquareMatrix& sum = target[static_cast<size_t>(g)];
            context_.blas.gemm('N', 'T', static_cast<int>(d - first), static_cast<int>(width),
                               static_cast<int>(vectors), coefficient, x.data() + first,
                               static_cast<int>(d), panel, static_cast<int>(width), 1.0,
                               sum.at(k * d + first, l * d + first), static_cast<int>(sum.n));
        });
    }
    // Every block is symmetric: fill its upper half, and its mirror image.
    parallel_for(context_, f.groups * pairs, [&](int64_t task, int) {
        SquareMatrix& sum = target[static_cast<size_t>(task / pairs)];
        const auto [k, l] = triangle_entry(task % pairs);
        for (int64_t j = 0; j < d; ++j)
            for (int64_t i = j; i < d; ++i) {
                const double value = *sum.at(k * d + i, l * d + j);
                *sum.at(k * d + j, l * d + i) = value;
                *sum.at(l * d + i, k * d + j) = value;
                *sum.at(l * d + j, k * d + i) = value;
            }
    });
}

void Information::refresh(int64_t step) {
    pending_ = 0;
    if (q_.empty()) {
        q_ = square_matrices();
        if (has_p()) p_ = square_matrices();
    }
    // One large matrix takes all threads together; of many small ones each takes its own.
    const int at_once = factors_.groups > 1 ? context_.threads : 1;
    Context alone = context_;
    alone.threads = 1;
    alone.poll = [] {};  // the loop over the groups does, on the caller's thread
    const Context& within = factors_.groups > 1 ? alone : context_;
    std::vector<SquareMatrix> roots;
    for (int t = 0; t < at_once; ++t) roots.push_back(square_matrix());
    std::vector<double> log_dets(m_.size());
    parallel_for(context_, factors_.groups, [&](int64_t group, int thread) {
        const auto g = static_cast<size_t>(group);
        SquareMatrix& r = roots[static_cast<size_t>(thread)];
        std::copy_n(m_[g].values.data(), m_[g].values.size(), q_[g].values.data());
        if (!invert_factor(within, q_[g], r, log_dets[g]))
            throw NumericalError("M is not positive definite after " + std::to_string(step) +
                                     " picks: lam is too small for these factors",
                                 step);
        if (has_p()) sandwich(within, r, f_.empty() ? nullptr : &f_[g], p_[g], q_[g]);
        inverse(within, r, q_[g]);
    });
    log_det_ = std::accumulate(log_dets.begin(), log_dets.end(), 0.0);
}

double Information::objective() const {
    if (!has_p()) return log_det_;
    double total = 0.0;
    for (size_t g = 0; g < q_.size(); ++g) {
        if (!f_.empty()) {
            total += trace_of_product(q_[g], f_[g]);
            continue;
        }
        for (int64_t i = 0; i < q_[g].n; ++i) total += *q_[g].at(i, i);
    }
    return total;
}

void Information::products(const double* x, int count, double* qx, double* px) {
    internal_check(count <= vectors_at_once_,
                   "no more right-hand sides than there is room for");
    read_stored(q_, x, count, qx);
    if (has_p()) read_stored(p_, x, count, px);
    if (pending_ > 0) subtract_pending(x, count, qx, px);
}

void Information::read_stored(const std::vector<SquareMatrix>& stored, const double* x,
                              int count, double* out) const {
    const Factors& f = factors_;
    const int64_t d = f.length(), c = f.classes, block = f.block(), stride = product_size();
    // Off-diagonal pairs are one task each, and give two columns; diagonal blocks go by panels.
    const int64_t pairs = c * (c - 1) / 2, panels = ceil_div(d, kPanel),
                  tasks = pairs + c * panels;
    parallel_for(context_, f.groups * tasks, [&](int64_t task, int) {
        const int64_t g = task / tasks, own = task % tasks;
        const SquareMatrix& a = stored[static_cast<size_t>(g)];
        double* group = out + g * block * c;
        if (own < pairs) {
            const auto [row, l] = triangle_entry(own);
            const int64_t k = row + 1;  // below the diagonal
            kernels_.two_sided(a.at(k * d, l * d), a.n, d, x, count, group + l * block + k * d,
                               group + k * block + l * d, stride);
        } else {
            const int64_t k = (own - pairs) / panels, first = (own - pairs) % panels * kPanel;
            kernels_.dots(a.at(k * d, k * d + first), a.n, std::min(kPanel, d - first), d, x,
                          count, group + k * block + k * d + first, stride);
        }
    });
}

/// All groups in one loop: a thousand small ones would spend their time waiting for threads.
void Information::subtract_pending(const double* x, int count, double* qx, double* px) {
    const Factors& f = factors_;
    const int64_t d = f.length(), c = f.classes, block = f.block(), columns = pending_ * f.rank;
    const int64_t capacity = capacity_ * f.rank, dots = f.groups * c * capacity;
    const int side = static_cast<int>(block), width = static_cast<int>(columns);
    constexpr int64_t kSlab = 256;
    // U^T (e_a (x) x): U [c d, columns] read as [d, c columns], so (a, column) comes out.
    const int64_t slabs = ceil_div(c * columns, kSlab), halves = has_p() ? 2 : 1;
    parallel_for(context_, f.groups * halves * slabs, [&](int64_t task, int) {
        const int64_t g = task / (halves * slabs), first = task % slabs * kSlab;
        const bool of_r = task / slabs % halves == 1;
        const int slab = static_cast<int>(std::min(kSlab, c * columns - first));
        context_.blas.gemm('T', 'N', slab, count, static_cast<int>(d), 1.0,
                           (of_r ? r_ : u_).data() + g * capacity * block + first * d,
                           static_cast<int>(d), x, static_cast<int>(d), 0.0,
                           (of_r ? r_dot_x_ : u_dot_x_).data() + g * c * capacity + first,
                           static_cast<int>(dots));
    });
    const int64_t parts = ceil_div(block, kSlab);
    parallel_for(context_, f.groups * parts, [&](int64_t task, int) {
        const int64_t g = task / parts, first = task % parts * kSlab;
        const int rows = static_cast<int>(std::min(kSlab, block - first));
        for (int v = 0; v < count; ++v) {
            const int64_t at = v * product_size() + g * block * c + first;
            const auto subtract = [&](const Buffer<double>& left, const Buffer<double>& right,
                                      double* to) {
                context_.blas.gemm('N', 'T', rows, static_cast<int>(c), width, -sign_,
                                   left.data() + g * capacity * block + first, side,
                                   right.data() + v * dots + g * c * capacity,
                                   static_cast<int>(c), 1.0, to + at, side);
            };
            subtract(u_, u_dot_x_, qx);
            if (!has_p()) continue;
            subtract(u_, r_dot_x_, px);
            subtract(r_, u_dot_x_, px);
        }
    });
}

void Information::update(const double* U, const double* R, double sign) {
    if (pending_ == capacity_ || (pending_ > 0 && sign != sign_)) consolidate();
    sign_ = sign;
    const int64_t size = factors_.rank * factors_.block();
    for (int64_t g = 0; g < factors_.groups; ++g) {
        const int64_t at = (g * capacity_ + pending_) * size;
        std::copy_n(U + g * size, size, u_.data() + at);
        if (has_p()) std::copy_n(R + g * size, size, r_.data() + at);
    }
    ++pending_;
}

void Information::consolidate() {
    const int64_t block = factors_.block(), columns = pending_ * factors_.rank;
    const int64_t d = factors_.length(), tiles = tile_count(block);
    const int side = static_cast<int>(block), inner = static_cast<int>(columns);
    parallel_for(context_, factors_.groups * tiles * tiles, [&](int64_t task, int) {
        const int64_t g = task / (tiles * tiles), I = task / tiles % tiles, J = task % tiles;
        if (J > I) return;
        const int64_t group = g * capacity_ * factors_.rank * block;
        const auto subtract = [&](const Buffer<double>& left, const Buffer<double>& right,
                                  SquareMatrix& from) {
            context_.blas.gemm('N', 'T', static_cast<int>(tile_size(block, I)),
                               static_cast<int>(tile_size(block, J)), inner, -sign_,
                               left.data() + group + I * kTile, side,
                               right.data() + group + J * kTile, side, 1.0,
                               from.at(I * kTile, J * kTile), side);
        };
        // Above the diagonal blocks nothing is read, so nothing is mirrored there.
        const bool on_diagonal = (J * kTile + tile_size(block, J) - 1) / d >= I * kTile / d;
        SquareMatrix& q = q_[static_cast<size_t>(g)];
        subtract(u_, u_, q);
        if (on_diagonal) mirror_tile(q, I, J);
        if (!has_p()) return;
        SquareMatrix& p = p_[static_cast<size_t>(g)];
        subtract(u_, r_, p);
        subtract(r_, u_, p);
        if (on_diagonal) mirror_tile(p, I, J);
    });
    pending_ = 0;
}

}  // namespace fisher_select::cpu
