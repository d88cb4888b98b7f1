// SPDX-License-Identifier: Apache-2.0
// Panels of Q and P against chunks of samples; see quadratic_forms.h.
#include "quadratic_forms.h"

#include <algorithm>

#include "lanes.h"
#include "parallel.h"
#include "portable.h"

namespace fisher_select::cpu {
namespace {

constexpr int64_t kPanel = 64;  // columns of Q or P converted at a time

/// Columns [first, first + width) of a symmetric block [d, d], rows [0, first + width), in
/// precision T. Only x^T A x is wanted, so the symmetric part counts, and what lies above the
/// panel's diagonal square is doubled instead of being met again below: half the work.
template <class T>
void load_quadratic_panel(const SquareMatrix& a, int64_t row0, int64_t col0, int64_t first,
                          int64_t width, int64_t d, T* to) {
    for (int64_t j = first; j < first + width; ++j)
        for (int64_t i = 0; i < first + width; ++i) {
            const double pair = *a.at(row0 + i, col0 + j) + *a.at(row0 + j, col0 + i);
            to[(j - first) * d + i] = static_cast<T>(i < first ? pair : 0.5 * pair);
        }
}

template <class T>
void load_panel(const SquareMatrix& a, int64_t first, int64_t width, T* to) {
    for (int64_t j = 0; j < width; ++j)
        for (int64_t i = 0; i < a.n; ++i) to[j * a.n + i] = static_cast<T>(*a.at(i, first + j));
}

}  // namespace

template <class T>
PackedBlocks<T>::PackedBlocks(const Factors& factors)
    : dense_(factors.kind == FactorKind::dense),
      groups_(factors.groups),
      pairs_(dense_ ? 1 : triangle(factors.classes)),
      length_(factors.length()) {
    const auto buffer = [&] {
        return Buffer<T>({groups_, pairs_, length_, length_}, "a copy of Q and P",
                         "choose search='full'");
    };
    q_ = buffer();
    p_ = buffer();
}

template <class T>
void PackedBlocks<T>::pack(const Context& context, const Information& information) {
    const int64_t panels = ceil_div(length_, kPanel), blocks = groups_ * pairs_;
    parallel_for(context, 2 * blocks * panels, [&](int64_t task, int) {
        const int64_t first = task % panels * kPanel, width = std::min(kPanel, length_ - first);
        const int64_t pair = task / panels % pairs_;
        const int group = static_cast<int>(task / panels / pairs_ % groups_);
        const bool of_p = task / panels / blocks == 1;
        const SquareMatrix& matrix = of_p ? information.P(group) : information.Q(group);
        T* to = (of_p ? p_ : q_).data() + (group * pairs_ + pair) * length_ * length_ +
                first * length_;
        if (dense_) {
            load_panel(matrix, first, width, to);
            return;
        }
        const auto [a, b] = triangle_entry(pair);
        load_quadratic_panel(matrix, a * length_, b * length_, first, width, length_, to);
    });
}

template <class T>
QuadraticForms<T>::QuadraticForms(const Context& context, const Factors& factors,
                                  const PoolKernels<T>& kernels, int64_t capacity)
    : context_(context), factors_(factors), kernels_(kernels), stride_(capacity + kLanes) {
    const auto buffer = [](std::initializer_list<int64_t> shape) {
        return Buffer<T>(shape, "a thread's workspace", "lower chunk_rows or threads");
    };
    products_ = buffer({factors.groups, triangle(factors.inner()), stride_});
    products_.zero();  // the lanes that pad the last block must hold numbers
    panel_ = buffer({kPanel, factors.length()});
    images_ = buffer({capacity, factors.length()});
    dots_ = buffer({capacity});
}

template <class T>
void QuadraticForms<T>::compute(const Information& information, bool of_p, const RowChunk<T>* x,
                                int64_t rows, const PackedBlocks<T>* packed) {
    if (factors_.kind == FactorKind::dense)
        by_slot(of_p ? information.P(0) : information.Q(0), of_p, x, rows, packed);
    else
        by_class(information, of_p, *x, rows, packed);
}

template <class T>
void QuadraticForms<T>::by_class(const Information& information, bool of_p,
                                 const RowChunk<T>& x, int64_t rows,
                                 const PackedBlocks<T>* packed) {
    const int64_t d = factors_.length();
    T* out = products_.data();
    for (int g = 0; g < factors_.groups; ++g) {
        const SquareMatrix& matrix = of_p ? information.P(g) : information.Q(g);
        for (int a = 0; a < factors_.classes; ++a)
            for (int b = 0; b <= a; ++b, out += stride_) {
                for (int64_t first = 0; first < d; first += kPanel) {
                    const int64_t width = std::min(kPanel, d - first);
                    const T* panel = panel_.data();
                    if (packed)
                        panel = packed->block(of_p, g, triangle(a) + b) + first * d;
                    else
                        load_quadratic_panel(matrix, a * d, b * d, first, width, d,
                                             panel_.data());
                    context_.blas.gemm('T', 'N', static_cast<int>(width),
                                       static_cast<int>(rows), static_cast<int>(first + width),
                                       T{1}, panel, static_cast<int>(d), x.data,
                                       static_cast<int>(x.stride), T{0}, images_.data() + first,
                                       static_cast<int>(d));
                }
                kernels_.row_dots(images_.data(), d, x.data, x.stride, rows, d, out);
            }
    }
}

template <class T>
void QuadraticForms<T>::by_slot(const SquareMatrix& matrix, bool of_p, const RowChunk<T>* x,
                                int64_t rows, const PackedBlocks<T>* packed) {
    const int64_t D = factors_.length();
    products_.zero();
    for (int64_t first = 0; first < D; first += kPanel) {
        const int64_t width = std::min(kPanel, D - first);
        const T* panel = panel_.data();
        if (packed)
            panel = packed->block(of_p, 0, 0) + first * D;
        else
            load_panel(matrix, first, width, panel_.data());
        for (int a = 0; a < factors_.rank; ++a) {
            context_.blas.gemm('T', 'N', static_cast<int>(width), static_cast<int>(rows),
                               static_cast<int>(D), T{1}, panel, static_cast<int>(D), x[a].data,
                               static_cast<int>(x[a].stride), T{0}, images_.data(),
                               static_cast<int>(width));
            for (int b = 0; b <= a; ++b) {
                kernels_.row_dots(images_.data(), width, x[b].data + first, x[b].stride, rows,
                                  width, dots_.data());
                T* out = products_.data() + (triangle(a) + b) * stride_;
                for (int64_t i = 0; i < rows; ++i) out[i] += dots_[i];
            }
        }
    }
}

template class PackedBlocks<float>;
template class QuadraticForms<float>;
template class QuadraticForms<double>;

}  // namespace fisher_select::cpu
