// SPDX-License-Identifier: Apache-2.0
// The pool sweep; see pool_state.h. What is here is which rows, which buffers, which BLAS
// call: the arithmetic of a candidate is in candidate.h, its loops in pool_kernels.cpp.
#include "pool_state.h"

#include <algorithm>
#include <vector>

#include "mapped_rows.h"
#include "parallel.h"
#include "portable.h"

namespace fisher_select::cpu {
namespace {

constexpr int64_t kPanel = 64;  // columns of Q or P converted at a time
// Rows taken together where the state is rebuilt, so that a converted panel pays: chunks at
// least, and more of them where products of that many values allow.
constexpr int64_t kResetChunks = 4, kResetRows = 512, kResetValues = int64_t{1} << 22;
constexpr int64_t kArranged = 64;  // blocks of candidates that a task lays out
constexpr const char* kRemedy =
    "choose fisher='block_diagonal' or 'binary', or select from a part of the pool";

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
struct PoolState<T>::Worker {
    Worker(const PoolState& state, bool resetting)
        : capacity(resetting ? state.reset_rows_ : state.chunk_rows_),
          stride(capacity + kLanes) {
        const Factors& f = state.factors_;
        constexpr const char* kPurpose = "a thread's workspace";
        constexpr const char* kLower = "lower chunk_rows or threads";
        if (!reads_in_place<T>(f.vectors, state.rows_))
            rows = Buffer<T>({capacity, f.vectors.slots, f.length()}, kPurpose, kLower);
        work = Buffer<T>({workspace(f.rank, f.inner())}, kPurpose, kLower);
        const int64_t columns =
            resetting ? int64_t{f.groups} * triangle(f.inner())
                      : f.panel_columns(state.options_.criterion) * f.vectors.slots;
        // Zeroed once: the lanes that pad the last block must hold numbers.
        products = Buffer<T>({columns, stride}, kPurpose, kLower);
        products.zero();
        if (resetting) {
            panel = Buffer<T>({kPanel, f.length()}, kPurpose, kLower);
            images = Buffer<T>({capacity, f.length()}, kPurpose, kLower);
            dots = Buffer<T>({capacity}, kPurpose, kLower);
        }
    }

    int64_t capacity, stride;  // rows; of products, padded against cache aliasing
    Buffer<T> rows, work, products, panel, images, dots;
};

template <class T>
PoolState<T>::PoolState(const Context& context, const Factors& factors, const RowList& rows,
                        const PoolKernels<T>& kernels, const PoolOptions& options)
    : context_(context),
      factors_(factors),
      rows_(rows),
      kernels_(kernels),
      options_(options),
      chunk_rows_(options.chunk_rows > 0
                      ? options.chunk_rows
                      : default_chunk_rows(factors.length() * factors.vectors.slots,
                                           factors.panel_columns(options.criterion))) {
    chunk_rows_ = lane_blocks(std::min(chunk_rows_, rows.count)) * kLanes;
    reset_rows_ = kResetChunks * chunk_rows_;
    if (options.chunk_rows == 0) {
        const int64_t values = int64_t{factors.groups} * triangle(factors.inner());
        const int64_t rows_at_once = std::min(kResetRows, kResetValues / values);
        reset_rows_ = std::max(reset_rows_, rows_at_once / kLanes * kLanes);
    }
    const int64_t padded = lane_blocks(rows.count) * kLanes, groups = factors.groups;
    if (factors.link != Link::identity)
        arrays_.s = Buffer<T>({padded, factors.link_size()}, "the pool's links", kRemedy);
    if (factors.mean_size() > 0)
        arrays_.mu = Buffer<T>({padded, factors.mean_size()}, "the pool's links", kRemedy);
    arrays_.g =
        Buffer<T>({padded, groups, triangle(factors.rank)}, "the pool state G", kRemedy);
    if (options.criterion == Criterion::trace)
        arrays_.h =
            Buffer<T>({padded, groups, triangle(factors.rank)}, "the pool state H", kRemedy);
    arrays_.score = Buffer<T>({padded}, "the pool's scores", kRemedy);
    panel_ = Buffer<T>({factors.panel_columns(options.criterion), factors.length()},
                       "the panel U | R", kRemedy);
    load_links();
}

template <class T>
PoolState<T>::~PoolState() = default;

template <class T>
PoolChunk<T> PoolState<T>::chunk(PoolArrays<T>& arrays, int64_t begin, int64_t size,
                                 T* work) const {
    const int64_t state = begin * factors_.groups * triangle(factors_.rank);
    PoolChunk<T> c;
    c.link = factors_.link;
    c.criterion = options_.criterion;
    c.rank = factors_.rank;
    c.classes = factors_.classes;
    c.groups = factors_.groups;
    c.links = factors_.group_links();
    c.means = static_cast<int>(factors_.mean_size());
    c.blocks = lane_blocks(size);
    c.s = arrays.s.empty() ? nullptr : arrays.s.data() + begin * factors_.link_size();
    c.mu = arrays.mu.empty() ? nullptr : arrays.mu.data() + begin * factors_.mean_size();
    c.G = arrays.g.data() + state;
    c.H = arrays.h.empty() ? nullptr : arrays.h.data() + state;
    c.score = arrays.score.data() + begin;
    c.work = work;
    return c;
}

template <class T>
template <class Body>
void PoolState<T>::for_chunks(bool resetting, const Body& body) {
    if (resetting || resetting_) workers_.clear();
    resetting_ = resetting;
    workers_.resize(static_cast<size_t>(context_.threads));
    const int64_t step = resetting ? reset_rows_ : chunk_rows_;
    const bool streamed = streams(factors_.vectors, rows_);
    parallel_for(context_, (rows_.count + step - 1) / step, [&](int64_t task, int thread) {
        auto& worker = workers_[static_cast<size_t>(thread)];
        if (!worker) worker = std::make_unique<Worker>(*this, resetting);
        const int64_t begin = task * step, size = std::min(step, rows_.count - begin);
        if (streamed) read_ahead(factors_.vectors, begin, size);
        body(begin, size, *worker);
        if (streamed) let_go(factors_.vectors, begin, size);
    });
}

template <class T>
void PoolState<T>::load_links() {
    if (factors_.link == Link::identity) return;
    arrays_.s.zero();
    arrays_.mu.zero();
    constexpr int64_t kRows = 64 * kLanes;
    parallel_for(context_, (rows_.count + kRows - 1) / kRows, [&](int64_t task, int) {
        std::vector<double> s(static_cast<size_t>(factors_.link_size())),
            mu(static_cast<size_t>(factors_.mean_size()));
        for (int64_t i = task * kRows; i < std::min(rows_.count, task * kRows + kRows); ++i) {
            factors_.link_coefficients(rows_[i], s.data(), mu.data());
            const auto scatter = [&](const std::vector<double>& from, Buffer<T>& to) {
                const auto width = static_cast<int64_t>(from.size());
                T* own = to.data() + i / kLanes * width * kLanes + i % kLanes;
                for (double value : from) {
                    *own = static_cast<T>(value);
                    own += kLanes;
                }
            };
            scatter(s, arrays_.s);
            scatter(mu, arrays_.mu);
        }
    });
}

template <class T>
void PoolState<T>::reset(const Information& information) {
    arrange(Layout::lanes);
    const T scale = static_cast<T>(options_.scale * options_.scale);
    for_chunks(true, [&](int64_t begin, int64_t size, Worker& worker) {
        const PoolChunk<T> own = chunk(arrays_, begin, size, worker.work.data());
        const bool dense = factors_.kind == FactorKind::dense;
        RowChunk<T> x{};
        if (!dense)
            x = load_rows<T>(factors_.vectors, rows_, begin, size, 0, worker.rows.data());
        for (const bool of_p : {false, true}) {
            if (of_p && arrays_.h.empty()) continue;
            if (dense)
                raw_products_by_slot(information, of_p, begin, size, worker);
            else
                raw_products_by_class(information, of_p, x.data, x.stride, size, worker);
            kernels_.reset(own, worker.products.data(), worker.stride, scale,
                           of_p ? own.H : own.G);
        }
        kernels_.score(own, static_cast<T>(options_.sign));
    });
}

/// products[group, (a, b)] = x^T A_ab x for every pair of classes a >= b.
template <class T>
void PoolState<T>::raw_products_by_class(const Information& information, bool of_p, const T* x,
                                         int64_t stride, int64_t rows, Worker& worker) const {
    const int64_t d = factors_.length();
    T* out = worker.products.data();
    for (int g = 0; g < factors_.groups; ++g) {
        const SquareMatrix& matrix = of_p ? information.P(g) : information.Q(g);
        for (int64_t a = 0; a < factors_.classes; ++a)
            for (int64_t b = 0; b <= a; ++b, out += worker.stride) {
                for (int64_t first = 0; first < d; first += kPanel) {
                    const int64_t width = std::min(kPanel, d - first);
                    load_quadratic_panel(matrix, a * d, b * d, first, width, d,
                                         worker.panel.data());
                    context_.blas.gemm('T', 'N', static_cast<int>(width),
                                       static_cast<int>(rows), static_cast<int>(first + width),
                                       T{1}, worker.panel.data(), static_cast<int>(d), x,
                                       static_cast<int>(stride), T{0},
                                       worker.images.data() + first, static_cast<int>(d));
                }
                kernels_.row_dots(worker.images.data(), d, x, stride, rows, d, out);
            }
    }
}

/// products[(a, b)] = v_a^T A v_b for every pair of slots a >= b of a dense factor.
template <class T>
void PoolState<T>::raw_products_by_slot(const Information& information, bool of_p,
                                        int64_t begin, int64_t rows, Worker& worker) const {
    const int64_t D = factors_.length(), own_slots = factors_.vectors.slots;
    const SquareMatrix& matrix = of_p ? information.P(0) : information.Q(0);
    std::vector<RowChunk<T>> slots;
    for (int64_t slot = 0; slot < own_slots; ++slot)
        slots.push_back(load_rows<T>(factors_.vectors, rows_, begin, rows, slot,
                                     worker.rows.data() + slot * worker.capacity * D));
    worker.products.zero();
    for (int64_t first = 0; first < D; first += kPanel) {
        const int64_t width = std::min(kPanel, D - first);
        load_panel(matrix, first, width, worker.panel.data());
        for (int a = 0; a < factors_.rank; ++a) {
            const RowChunk<T>& va = slots[static_cast<size_t>(a)];
            context_.blas.gemm('T', 'N', static_cast<int>(width), static_cast<int>(rows),
                               static_cast<int>(D), T{1}, worker.panel.data(),
                               static_cast<int>(D), va.data, static_cast<int>(va.stride), T{0},
                               worker.images.data(), static_cast<int>(width));
            for (int b = 0; b <= a; ++b) {
                const RowChunk<T>& vb = slots[static_cast<size_t>(b)];
                kernels_.row_dots(worker.images.data(), width, vb.data + first, vb.stride, rows,
                                  width, worker.dots.data());
                T* out = worker.products.data() + (triangle(a) + b) * worker.stride;
                for (int64_t i = 0; i < rows; ++i) out[i] += worker.dots[i];
            }
        }
    }
}

template <class T>
void PoolState<T>::scale_panel(const Buffer<double>& panel, T* to) const {
    for (int64_t i = 0; i < panel.size(); ++i)
        to[i] = static_cast<T>(options_.scale * panel[i]);
}

/// products [columns, stride] of a slot: <x_i, u_j> for `size` rows x and the panel's columns
/// u.
template <class T>
void PoolState<T>::multiply(const RowChunk<T>& x, int64_t size, const T* panel, int64_t slot,
                            T* products, int64_t stride) const {
    const int64_t length = factors_.length();
    const int columns = static_cast<int>(factors_.panel_columns(options_.criterion));
    T* out = products + slot * columns * stride;
    if (columns <= kFewColumns)
        kernels_.dots(x.data, x.stride, size, length, panel, columns, out, stride);
    else
        context_.blas.gemm('T', 'N', static_cast<int>(size), columns, static_cast<int>(length),
                           T{1}, x.data, static_cast<int>(x.stride), panel,
                           static_cast<int>(length), T{0}, out, static_cast<int>(stride));
}

template <class T>
void PoolState<T>::update(const Buffer<double>& panel) {
    scale_panel(panel, panel_.data());
    for_chunks(false, [&](int64_t begin, int64_t size, Worker& worker) {
        for (int64_t slot = 0; slot < factors_.vectors.slots; ++slot)
            multiply(
                load_rows<T>(factors_.vectors, rows_, begin, size, slot, worker.rows.data()),
                size, panel_.data(), slot, worker.products.data(), worker.stride);
        kernels_.update(chunk(arrays_, begin, size, worker.work.data()), worker.products.data(),
                        worker.stride, static_cast<T>(options_.sign));
    });
}

template <class T>
void PoolState<T>::arrange(Layout layout) {
    if (layout == layout_) return;
    layout_ = layout;
    const int64_t blocks = lane_blocks(rows_.count);
    for_arrays([&](Buffer<T> PoolArrays<T>::* array, int64_t width) {
        // [width, kLanes] of a block become [kLanes, width], or the reverse.
        const int64_t lanes = kLanes, from = layout == Layout::rows ? lanes : width;
        const int64_t size = width * lanes;
        parallel_for(context_, ceil_div(blocks, kArranged), [&](int64_t task, int) {
            std::vector<T> copy(static_cast<size_t>(size));
            for (int64_t b = task * kArranged; b < std::min(blocks, (task + 1) * kArranged);
                 ++b) {
                T* own = (arrays_.*array).data() + b * size;
                std::copy_n(own, size, copy.data());
                for (int64_t i = 0; i < size; ++i)
                    own[i % from * (size / from) + i / from] = copy[static_cast<size_t>(i)];
            }
        });
    });
}

template <class T>
double PoolState<T>::largest_trace(const std::vector<char>& taken) const {
    const int64_t entries = triangle(factors_.rank), groups = factors_.groups;
    double largest = 0.0;
    for (int64_t i = 0; i < rows_.count; ++i) {
        if (taken[static_cast<size_t>(i)]) continue;
        const T* own = (arrays_.h.empty() ? arrays_.g : arrays_.h).data() +
                       i / kLanes * groups * entries * kLanes + i % kLanes;
        double trace = 0.0;
        for (int64_t g = 0; g < groups; ++g)
            for (int a = 0; a < factors_.rank; ++a)
                trace += static_cast<double>(own[(g * entries + triangle(a) + a) * kLanes]);
        largest = std::max(largest, trace);
    }
    return largest;
}

template class PoolState<float>;
template class PoolState<double>;

}  // namespace fisher_select::cpu
