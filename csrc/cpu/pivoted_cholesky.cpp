// SPDX-License-Identifier: Apache-2.0
// The labelled rows' factor by blocks, then entry by entry where asked; see pivoted_cholesky.h.
#include "pivoted_cholesky.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "dispatch.h"
#include "error.h"
#include "linear_algebra.h"
#include "mapped_rows.h"
#include "parallel.h"
#include "rows.h"

namespace fisher_select::cpu {
namespace {

// Every BLAS call has this one number of columns, short blocks padded: a row's entries then
// have the same bits wherever it stands, and equal rows tie.
constexpr int64_t kRows = 128;

// A residual is what is left of K_ii after subtracting; below this share of it, it is rounding.
constexpr double kRounding = 64 * std::numeric_limits<double>::epsilon();

constexpr const char* kPurpose = "the kernel's factor (rows by labelled rows and picks)";
constexpr const char* kRemedy = "lower batch_size, or select from a part of the pool";

int64_t blocks_of(int64_t rows) { return (rows + kRows - 1) / kRows; }

}  // namespace

double kernel_values(const Factors& f, int64_t labeled, int64_t picks) {
    const double n = static_cast<double>(f.count()), m = static_cast<double>(labeled),
                 width = m + static_cast<double>(picks);
    return n * width + m * m + width * static_cast<double>(f.length() + f.classes);
}

/// kRows rows of the pool in float64, and their products with the labelled rows.
struct PivotedCholesky::Block {
    Block(const Factors& f, int64_t labeled)
        : x({kRows, f.length()}, kPurpose, kRemedy),
          s({kRows, f.classes}, kPurpose, kRemedy),
          products({kRows, labeled}, kPurpose, kRemedy) {
        x.zero();  // what pads the last block
        s.zero();
    }
    Buffer<double> x, s, products;
};

PivotedCholesky::PivotedCholesky(const Context& context, const Factors& factors,
                                 const RowList& labeled, int64_t picks, double lam,
                                 const std::string& instruction_set)
    : context_(context),
      factors_(factors),
      kernels_(pool_kernels<double>(instruction_set)),
      labeled_(labeled.count),
      width_(labeled.count + picks),
      lam_(lam),
      x_({width_, factors.length()}, kPurpose, kRemedy),
      s_({width_, factors.classes}, kPurpose, kRemedy),
      rows_({blocks_of(factors.count()) * kRows, width_}, kPurpose, kRemedy),
      residuals_({factors.count()}, kPurpose, kRemedy),
      known_({factors.count()}, kPurpose, kRemedy),
      workers_(static_cast<size_t>(context.threads)),
      vectors_read_(factors.vectors, context.threads),
      probabilities_read_(as_vectors(factors.probabilities), context.threads) {
    internal_check(factors.link == Link::vector, "the kernel form is for factors of rank one");
    for (Worker& worker : workers_) {
        worker.x = Buffer<double>({factors.length()}, kPurpose, kRemedy);
        worker.s = Buffer<double>({factors.classes}, kPurpose, kRemedy);
    }
    known_.zero();
    log_det_ = static_cast<double>(factors.block()) * std::log(lam);
    factorize(labeled);
    load_pool();
}

double PivotedCholesky::dot(const double* a, const double* b, int64_t length) const {
    double product = 0.0;
    kernels_.row_dots(a, length, b, length, 1, length, &product);
    return product;
}

/// l_ <- the Cholesky factor of K + lam I of the labelled rows.
void PivotedCholesky::factorize(const RowList& labeled) {
    const int64_t m = labeled_, d = factors_.length(), c = factors_.classes;
    if (m == 0) return;
    copy_rows(factors_.vectors, labeled, 0, m, 0, x_.data());
    for (int64_t i = 0; i < m; ++i)
        factors_.link_coefficients(labeled[i], s_.data() + i * c, nullptr);
    SquareMatrix k(m, kPurpose, kRemedy);
    for_lower_tiles(context_, m, [&](int64_t I, int64_t J) {
        Buffer<double> product({kTile, kTile}, kPurpose, kRemedy);
        const int64_t i0 = I * kTile, j0 = J * kTile;
        const int rows = static_cast<int>(tile_size(m, I)),
                  cols = static_cast<int>(tile_size(m, J));
        const auto multiply = [&](const Buffer<double>& of, int64_t length, double* to,
                                  int64_t ld) {
            context_.blas.gemm('T', 'N', rows, cols, static_cast<int>(length), 1.0,
                               of.data() + i0 * length, static_cast<int>(length),
                               of.data() + j0 * length, static_cast<int>(length), 0.0, to,
                               static_cast<int>(ld));
        };
        multiply(x_, d, k.at(i0, j0), m);
        multiply(s_, c, product.data(), kTile);
        for (int64_t j = 0; j < cols; ++j)
            for (int64_t i = 0; i < rows; ++i) *k.at(i0 + i, j0 + j) *= product[j * kTile + i];
    });
    for (int64_t i = 0; i < m; ++i) *k.at(i, i) += lam_;
    if (!cholesky(context_, k))
        throw NumericalError("M is not positive definite with the labelled rows: raise lam", 0);
    for (int64_t i = 0; i < m; ++i) log_det_ += 2.0 * std::log(*k.at(i, i)) - std::log(lam_);
    l_ = std::move(k.values);
}

/// Residuals of the whole pool, and every row's entries of the labelled rows.
void PivotedCholesky::load_pool() {
    const int64_t n = factors_.count(), d = factors_.length(), c = factors_.classes;
    std::vector<std::unique_ptr<Block>> blocks(static_cast<size_t>(context_.threads));
    parallel_for(context_, blocks_of(n), [&](int64_t task, int thread) {
        std::unique_ptr<Block>& block = blocks[static_cast<size_t>(thread)];
        if (!block) block = std::make_unique<Block>(factors_, labeled_);
        const int64_t begin = task * kRows, count = std::min(kRows, n - begin);
        const SweptRows swept(factors_.vectors, begin, count),
            swept_p(as_vectors(factors_.probabilities), begin, count);
        load(begin, count, *block);
        if (labeled_ > 0) solve_block(begin, *block);
        for (int64_t i = 0; i < count; ++i) {
            const double *x = block->x.data() + i * d, *s = block->s.data() + i * c;
            const double* l = factor_row(begin + i);
            const double square = dot(x, x, d) * dot(s, s, c);
            if (!(square < std::numeric_limits<double>::infinity()))
                throw NumericalError("squared gradients overflow: scale the features down", 0);
            residuals_[begin + i] = square - dot(l, l, labeled_);
        }
    });
}

void PivotedCholesky::load(int64_t begin, int64_t count, Block& block) const {
    copy_rows(factors_.vectors, {nullptr, factors_.count()}, begin, count, 0, block.x.data());
    for (int64_t i = 0; i < count; ++i)
        factors_.link_coefficients(begin + i, block.s.data() + i * factors_.classes, nullptr);
}

/// l_i = L^-1 K_Si for a block of rows and the labelled rows S.
void PivotedCholesky::solve_block(int64_t begin, Block& block) {
    const int m = static_cast<int>(labeled_), rows = static_cast<int>(kRows),
              ld = static_cast<int>(width_);
    double* l = factor_row(begin);
    const auto multiply = [&](const Buffer<double>& members, const Buffer<double>& own,
                              int length, double* to, int ldto) {
        context_.blas.gemm('T', 'N', m, rows, length, 1.0, members.data(), length, own.data(),
                           length, 0.0, to, ldto);
    };
    multiply(x_, block.x, static_cast<int>(factors_.length()), l, ld);
    multiply(s_, block.s, factors_.classes, block.products.data(), m);
    for (int64_t i = 0; i < kRows; ++i)
        for (int64_t j = 0; j < m; ++j) l[i * width_ + j] *= block.products[i * m + j];
    context_.blas.solve_lower('L', 'N', m, rows, l_.data(), m, l, ld);
}

double PivotedCholesky::evaluate(int64_t row, double enough, int thread) {
    const int64_t d = factors_.length(), c = factors_.classes;
    Worker& own = workers_[static_cast<size_t>(thread)];
    vectors_read_.reads(row);
    probabilities_read_.reads(row);
    const double* x =
        load_rows(factors_.vectors, {nullptr, factors_.count()}, row, 1, 0, own.x.data()).data;
    factors_.link_coefficients(row, own.s.data(), nullptr);
    double* l = factor_row(row);
    double residual = residuals_[row];
    int32_t known = known_[row];
    for (; known < static_cast<int32_t>(picks_.size()) && !(residual < enough); ++known) {
        const auto pick = static_cast<size_t>(known);
        const int64_t at = labeled_ + known;
        const double kernel =
            dot(x, x_.data() + at * d, d) * dot(own.s.data(), s_.data() + at * c, c);
        l[at] = (kernel - dot(l, factor_row(picks_[pick]), at)) / pivots_[pick];
        residual -= l[at] * l[at];
        ++own.entries;
    }
    known_[row] = known;
    return residuals_[row] = residual;
}

double PivotedCholesky::gain(double residual) const { return std::log1p(residual / lam_); }

void PivotedCholesky::add(int64_t row) {
    const auto step = static_cast<int64_t>(picks_.size());
    const int64_t d = factors_.length(), c = factors_.classes, at = labeled_ + step;
    double *x = x_.data() + at * d, *s = s_.data() + at * c;
    factors_.load_vector(row, 0, x);
    factors_.link_coefficients(row, s, nullptr);
    const double pivot = lam_ + residuals_[row];
    if (!(pivot > kRounding * dot(x, x, d) * dot(s, s, c)))
        throw NumericalError("scores of the forward stage are lost in rounding after " +
                                 std::to_string(step) + " picks: raise lam",
                             step);
    log_det_ += gain(residuals_[row]);
    picks_.push_back(row);
    pivots_.push_back(std::sqrt(pivot));
}

int64_t PivotedCholesky::entries() const {
    int64_t sum = 0;
    for (const Worker& worker : workers_) sum += worker.entries;
    return sum;
}

}  // namespace fisher_select::cpu
