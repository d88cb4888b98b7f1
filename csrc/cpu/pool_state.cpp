// SPDX-License-Identifier: Apache-2.0
// The pool sweep; see pool_state.h. What is here is which rows, which buffers, which BLAS
// call: the arithmetic of a candidate is in candidate.h, its loops in pool_kernels.cpp.
#include "pool_state.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "mapped_rows.h"
#include "parallel.h"
#include "portable.h"

namespace fisher_select::cpu {
namespace {

// Rows taken together where the state is rebuilt, so that a converted panel pays: chunks at
// least, and more of them where products of that many values allow.
constexpr int64_t kResetChunks = 4, kResetRows = 512, kResetValues = int64_t{1} << 22;
constexpr int64_t kArranged = 64;  // blocks of candidates that a task lays out
constexpr const char* kRemedy =
    "choose fisher='block_diagonal' or 'binary', or select from a part of the pool";

}  // namespace

template <class T>
struct PoolState<T>::Worker {
    Worker(const PoolState& state, bool resetting)
        : capacity(resetting ? state.reset_rows_ : state.chunk_rows_),
          stride(capacity + kLanes) {
        const Factors& f = state.factors_;
        const auto buffer = [](std::initializer_list<int64_t> shape) {
            return Buffer<T>(shape, "a thread's workspace", "lower chunk_rows or threads");
        };
        if (!reads_in_place<T>(f.vectors, state.rows_))
            rows = buffer({f.vectors.slots, capacity, f.length()});
        work = buffer({workspace(f.rank, f.inner())});
        if (resetting) {
            forms.emplace(state.context_, f, state.kernels_, capacity);
            return;
        }
        products =
            buffer({f.panel_columns(state.options_.criterion) * f.vectors.slots, stride});
        products.zero();  // the lanes that pad the last block must hold numbers
    }

    int64_t capacity, stride;  // rows; of products, padded against cache aliasing
    Buffer<T> rows, work, products;
    std::optional<QuadraticForms<T>> forms;  // where the state is rebuilt
};

template <class T>
PoolState<T>::PoolState(const Context& context, const Factors& factors, const RowList& rows,
                        const PoolKernels<T>& kernels, const PoolOptions& options,
                        Layout layout)
    : context_(context),
      factors_(factors),
      rows_(rows),
      kernels_(kernels),
      options_(options),
      chunk_rows_(options.chunk_rows > 0
                      ? options.chunk_rows
                      : default_chunk_rows(factors.length() * factors.vectors.slots,
                                           factors.panel_columns(options.criterion))),
      layout_(layout) {
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
                const auto own = values_of(to, width, i);
                for (int64_t e = 0; e < width; ++e)
                    own[e] = static_cast<T>(from[static_cast<size_t>(e)]);
            };
            scatter(s, arrays_.s);
            scatter(mu, arrays_.mu);
        }
    });
}

template <class T>
void PoolState<T>::reset(const Information& information) {
    links_to_lanes();
    for_chunks(true, [&](int64_t begin, int64_t size, Worker& worker) {
        std::vector<RowChunk<T>> x;
        for (int64_t slot = 0; slot < factors_.vectors.slots; ++slot)
            x.push_back(
                load_rows<T>(factors_.vectors, rows_, begin, size, slot,
                             worker.rows.data() + slot * worker.capacity * factors_.length()));
        reset_chunk(chunk(arrays_, begin, size, worker.work.data()), information, x.data(),
                    size, *worker.forms);
    });
}

/// G, H and the scores of one chunk of `rows` candidates, of which x [slots] has the vectors.
template <class T>
void PoolState<T>::reset_chunk(const PoolChunk<T>& chunk, const Information& information,
                               const RowChunk<T>* x, int64_t rows, QuadraticForms<T>& forms,
                               const PackedBlocks<T>* packed) const {
    const T scale = static_cast<T>(options_.scale * options_.scale);
    for (const bool of_p : {false, true}) {
        T* state = of_p ? chunk.H : chunk.G;
        if (state == nullptr) continue;
        forms.compute(information, of_p, x, rows, packed);
        kernels_.reset(chunk, forms.products(), forms.stride(), scale, state);
    }
    kernels_.score(chunk, static_cast<T>(options_.sign));
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
    sweep(panel_.data());
}

template <class T>
void PoolState<T>::sweep(const T* scaled_panel) {
    for_chunks(false, [&](int64_t begin, int64_t size, Worker& worker) {
        for (int64_t slot = 0; slot < factors_.vectors.slots; ++slot)
            multiply(
                load_rows<T>(factors_.vectors, rows_, begin, size, slot, worker.rows.data()),
                size, scaled_panel, slot, worker.products.data(), worker.stride);
        kernels_.update(chunk(arrays_, begin, size, worker.work.data()), worker.products.data(),
                        worker.stride, static_cast<T>(options_.sign));
    });
}

template <class T>
double PoolState<T>::reset_cost() const {
    const auto d = static_cast<double>(factors_.length());
    const int halves = arrays_.h.empty() ? 1 : 2;
    // A dense factor's slots are multiplied by all of Q, the pairs of classes by half a block.
    const double blocks = factors_.kind == FactorKind::dense
                              ? static_cast<double>(factors_.vectors.slots)
                              : 0.5 * factors_.groups * triangle(factors_.classes);
    return halves * blocks * d * d;
}

template <class T>
double PoolState<T>::update_cost() const {
    return static_cast<double>(factors_.length() * factors_.vectors.slots *
                               factors_.panel_columns(options_.criterion));
}

/// The state itself is made anew by who asks for this.
template <class T>
void PoolState<T>::links_to_lanes() {
    if (layout_ == Layout::lanes) return;
    layout_ = Layout::lanes;
    const int64_t blocks = lane_blocks(rows_.count);
    for_links([&](Buffer<T> PoolArrays<T>::* array, int64_t width) {
        const int64_t size = width * kLanes;  // of a block: [kLanes, width] to [width, kLanes]
        parallel_for(context_, ceil_div(blocks, kArranged), [&](int64_t task, int) {
            std::vector<T> copy(static_cast<size_t>(size));
            for (int64_t b = task * kArranged; b < std::min(blocks, (task + 1) * kArranged);
                 ++b) {
                T* own = (arrays_.*array).data() + b * size;
                std::copy_n(own, size, copy.data());
                for (int64_t i = 0; i < size; ++i)
                    own[i % width * kLanes + i / width] = copy[static_cast<size_t>(i)];
            }
        });
    });
}

template <class T>
double PoolState<T>::largest_trace(const std::vector<char>& left_out) const {
    const int64_t entries = triangle(factors_.rank), groups = factors_.groups;
    const Buffer<T>& state = arrays_.h.empty() ? arrays_.g : arrays_.h;
    double largest = 0.0;
    for (int64_t i = 0; i < rows_.count; ++i) {
        if (left_out[static_cast<size_t>(i)]) continue;
        const auto own = values_of(state, groups * entries, i);
        double trace = 0.0;
        for (int64_t g = 0; g < groups; ++g)
            for (int a = 0; a < factors_.rank; ++a)
                trace += static_cast<double>(own[g * entries + triangle(a) + a]);
        largest = std::max(largest, trace);
    }
    return largest;
}

template class PoolState<float>;
template class PoolState<double>;

}  // namespace fisher_select::cpu
