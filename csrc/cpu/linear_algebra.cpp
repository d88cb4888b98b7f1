// SPDX-License-Identifier: Apache-2.0
// Tiled Cholesky inverse and symmetric products; see linear_algebra.h.
#include "linear_algebra.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace fisher_select::cpu {

SquareMatrix::SquareMatrix(int64_t n_, const char* purpose, const char* remedy)
    : n(n_), values({n_, n_}, purpose, remedy) {}

void mirror_tile(SquareMatrix& a, int64_t I, int64_t J) {
    const int64_t i0 = I * kTile, j0 = J * kTile, rows = tile_size(a.n, I),
                  cols = tile_size(a.n, J);
    // By small squares: whole cache lines on both sides.
    constexpr int64_t kSquare = 8;
    for (int64_t jj = j0; jj < j0 + cols; jj += kSquare)
        for (int64_t ii = i0; ii < i0 + rows; ii += kSquare)
            for (int64_t j = jj; j < std::min(jj + kSquare, j0 + cols); ++j)
                for (int64_t i = std::max(ii, j + 1); i < std::min(ii + kSquare, i0 + rows);
                     ++i)
                    *a.at(j, i) = *a.at(i, j);
}

/// Right-looking by tiles.
bool cholesky(const Context& context, SquareMatrix& a) {
    const int64_t tiles = tile_count(a.n);
    const int ld = static_cast<int>(a.n);
    for (int64_t K = 0; K < tiles; ++K) {
        const int64_t k0 = K * kTile;
        const int nb = static_cast<int>(tile_size(a.n, K));
        if (!context.blas.cholesky(nb, a.at(k0, k0), ld)) return false;
        parallel_for(context, tiles - K - 1, [&](int64_t t, int) {
            const int64_t I = K + 1 + t;
            context.blas.solve_lower('R', 'T', static_cast<int>(tile_size(a.n, I)), nb,
                                     a.at(k0, k0), ld, a.at(I * kTile, k0), ld);
        });
        const int64_t rest = tiles - K - 1;
        parallel_for(context, rest * rest, [&](int64_t t, int) {
            const int64_t I = K + 1 + t / rest, J = K + 1 + t % rest;
            if (J > I) return;
            context.blas.gemm('N', 'T', static_cast<int>(tile_size(a.n, I)),
                              static_cast<int>(tile_size(a.n, J)), nb, -1.0,
                              a.at(I * kTile, k0), ld, a.at(J * kTile, k0), ld, 1.0,
                              a.at(I * kTile, J * kTile), ld);
        });
    }
    return true;
}

namespace {

/// R <- K^-1 for the lower factor K, both lower; columns of a tile need nothing above them.
void invert_lower(const Context& context, const SquareMatrix& k, SquareMatrix& r) {
    const int ld = static_cast<int>(k.n);
    parallel_for(context, tile_count(k.n), [&](int64_t J, int) {
        const int64_t j0 = J * kTile, cols = tile_size(k.n, J);
        for (int64_t j = j0; j < j0 + cols; ++j) {
            std::fill(r.at(0, j), r.at(0, j) + k.n, 0.0);
            *r.at(j, j) = 1.0;
        }
        context.blas.solve_lower('L', 'N', static_cast<int>(k.n - j0), static_cast<int>(cols),
                                 k.at(j0, j0), ld, r.at(j0, j0), ld);
    });
}

using Range = std::pair<int64_t, int64_t>;

/// out <- op(A) op(B) over inner indices [first(I, J), last(I, J)), where the factors are not
/// zero; `lower`: lower tiles and their mirror images only.
template <class Inner>
void multiply(const Context& context, char trans_a, const SquareMatrix& a, char trans_b,
              const SquareMatrix& b, bool lower, const Inner& inner, SquareMatrix& out) {
    const int64_t n = out.n, tiles = tile_count(n);
    const int ld = static_cast<int>(n);
    parallel_for(context, tiles * tiles, [&](int64_t task, int) {
        const int64_t I = task / tiles, J = task % tiles;
        if (lower && J > I) return;
        const int64_t i0 = I * kTile, j0 = J * kTile;
        const auto [first, last] = inner(i0, j0);
        context.blas.gemm(
            trans_a, trans_b, static_cast<int>(tile_size(n, I)),
            static_cast<int>(tile_size(n, J)), static_cast<int>(std::min(last, n) - first), 1.0,
            trans_a == 'N' ? a.at(i0, first) : a.at(first, i0), ld,
            trans_b == 'N' ? b.at(first, j0) : b.at(j0, first), ld, 0.0, out.at(i0, j0), ld);
        if (lower) mirror_tile(out, I, J);
    });
}

}  // namespace

bool invert_factor(const Context& context, SquareMatrix& m, SquareMatrix& r, double& log_det) {
    if (!cholesky(context, m)) return false;
    log_det = 0.0;
    for (int64_t i = 0; i < m.n; ++i) log_det += 2.0 * std::log(*m.at(i, i));
    invert_lower(context, m, r);
    return true;
}

void inverse(const Context& context, const SquareMatrix& r, SquareMatrix& q) {
    const auto where_both_are = [&](int64_t i0, int64_t) { return Range{i0, r.n}; };
    multiply(context, 'T', r, 'N', r, true, where_both_are, q);
}

void sandwich(const Context& context, const SquareMatrix& r, const SquareMatrix* f,
              SquareMatrix& p, SquareMatrix& work) {
    const auto up_to_row = [](int64_t i0, int64_t) { return Range{0, i0 + kTile}; };
    const auto up_to_column = [](int64_t, int64_t j0) { return Range{0, j0 + kTile}; };
    const auto from_row = [&](int64_t i0, int64_t) { return Range{i0, r.n}; };
    const auto from_column = [&](int64_t, int64_t j0) { return Range{j0, r.n}; };
    const SquareMatrix* rf = &r;
    if (f != nullptr) {
        multiply(context, 'N', r, 'N', *f, false, up_to_row, work);
        rf = &work;
    }
    multiply(context, 'N', *rf, 'T', r, true, up_to_column, p);   // S = R F R^T
    multiply(context, 'N', p, 'N', r, false, from_column, work);  // S R
    multiply(context, 'T', r, 'N', work, true, from_row, p);      // R^T S R
}

double trace_of_product(const SquareMatrix& a, const SquareMatrix& b) {
    double total = 0.0;
    for (int64_t j = 0; j < a.n; ++j) {
        double column = 0.0;
        for (int64_t i = 0; i < a.n; ++i) column += *a.at(i, j) * *b.at(i, j);
        total += column;
    }
    return total;
}

}  // namespace fisher_select::cpu
