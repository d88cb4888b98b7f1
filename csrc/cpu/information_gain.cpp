// SPDX-License-Identifier: Apache-2.0
// Information gain of pool samples (ops.h), fused: a product of a block of pool rows with a
// tile of evaluation rows, then the entropies of all those pairs while it is in cache.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <vector>

#include "buffer.h"
#include "dispatch.h"
#include "information_gain_kernels.h"
#include "input_errors.h"
#include "mapped_rows.h"
#include "ops.h"
#include "parallel.h"
#include "rows.h"

namespace fisher_select::cpu {
namespace {

// Every product has one shape, short blocks padded with zeros: then a pair's product has the
// same bits wherever its rows stand (see rows_at_once), and equal samples tie.
constexpr int64_t kRows = kGainRows, kTile = 256;

// Work of a task, in pairs times classes (eight features count as one): a fifth of a second at
// the most, so that every thread notices Ctrl-C.
constexpr int64_t kTaskWork = int64_t{1} << 25;

constexpr const char* kWorkspace = "a thread's workspace";
constexpr const char* kLowerThreads = "lower threads";

/// Rows [begin, begin + block) of the view: in place, or in the buffer [block, length], where
/// rows beyond the last are 0.
template <class T>
RowChunk<T> load_block(const VectorsView& v, int64_t begin, int64_t block, T* buffer) {
    const RowList all{nullptr, v.rows};
    const int64_t count = std::min(block, v.rows - begin);
    if (count == block) return load_rows<T>(v, all, begin, block, 0, buffer);
    copy_rows<T>(v, all, begin, count, 0, buffer);
    std::fill(buffer + count * v.length, buffer + block * v.length, T{0});
    return {buffer, v.length};
}

/// p <- softmax(logits); returns the entropy and, where wanted, s = log p + entropy.
double softmax(const double* logits, int classes, double* p, double* s) {
    const double largest = *std::max_element(logits, logits + classes);
    double sum = 0.0, moment = 0.0;
    for (int k = 0; k < classes; ++k) {
        const double below = logits[k] - largest;
        p[k] = std::exp(below);
        sum += p[k];
        if (p[k] > 0.0) moment += p[k] * below;
    }
    const double entropy = std::log(sum) - moment / sum;
    for (int k = 0; k < classes; ++k) {
        if (s) s[k] = (logits[k] - largest) - moment / sum;
        p[k] /= sum;
    }
    return entropy;
}

template <class T>
class GainScorer {
public:
    GainScorer(const Context& context, const GainProblem& problem)
        : context_(context),
          problem_(problem),
          kernels_(gain_kernels<T>(problem.instruction_set)),
          n_(problem.features.rows),
          m_(problem.eval_features.rows),
          d_(problem.features.length),
          classes_(static_cast<int>(problem.weight.cols)),
          weight_({d_, classes_}, "the last layer", "use fewer classes"),
          s_({m_, classes_}, kTables, kFewer),
          q_({m_, classes_}, kTables, kFewer),
          h_({m_}, kTables, kFewer) {
        for (int64_t j = 0; j < d_; ++j)
            for (int k = 0; k < classes_; ++k)
                weight_[j * classes_ + k] = problem.weight.at(j, k);
        workers_.resize(static_cast<size_t>(context.threads));
        rows_at_once_ = rows_at_once();
    }

    std::vector<double> run() {
        prepare();
        std::vector<double> scores(static_cast<size_t>(n_), 0.0);
        const int64_t blocks = (n_ + kRows - 1) / kRows;
        const int64_t step =
            std::clamp<int64_t>(problem_.chunk_rows / kRows, 1, std::min<int64_t>(blocks, 256));
        const int64_t pairs = kTaskWork / (classes_ + d_ / 8);
        const int64_t segment = std::max<int64_t>(pairs / (step * kRows) / kTile, 1) * kTile;
        const int64_t segments = (m_ + segment - 1) / segment;
        context_.progress("score", 0, n_);
        for (int64_t part = 0; part < segments; ++part) {
            const int64_t begin = part * segment, end = std::min(m_, begin + segment);
            std::atomic<int64_t> finished{0};
            parallel_for(context_, (blocks + step - 1) / step, [&](int64_t task, int thread) {
                Worker& own = worker(thread);
                const int64_t last = std::min(blocks, (task + 1) * step);
                const SweptRows swept(problem_.features, task * step * kRows, step * kRows),
                    swept_p(as_vectors(problem_.probabilities), task * step * kRows,
                            step * kRows);
                for (int64_t block = task * step; block < last; ++block)
                    score_block(block * kRows, begin, end, own, scores.data());
                finished += std::min(n_, last * kRows) - task * step * kRows;
                if (thread == 0)
                    context_.progress("score", (part * n_ + finished) / segments, n_);
            });
        }
        context_.progress("score", n_, n_);
        return scores;
    }

private:
    static constexpr const char* kTables = "the tables of the evaluation set";
    static constexpr const char* kFewer = "use a part of the evaluation set";

    /// One thread's buffers.
    struct Worker {
        explicit Worker(const GainScorer& g)
            : x({kRows, g.d_}, kWorkspace, kLowerThreads),
              y({kTile, g.d_}, kWorkspace, kLowerThreads),
              rows({kTile, g.d_}, kWorkspace, kLowerThreads),
              logits({kTile, g.classes_}, kWorkspace, kLowerThreads),
              values({2, g.classes_}, kWorkspace, kLowerThreads),
              products({kTile, kRows}, kWorkspace, kLowerThreads),
              p({g.classes_, kRows}, kWorkspace, kLowerThreads),
              work({gain_workspace(g.classes_)}, kWorkspace, kLowerThreads),
              weights({kRows, g.classes_}, kWorkspace, kLowerThreads),
              change({g.classes_, kRows}, kWorkspace, kLowerThreads) {}
        Buffer<T> x, y;                  // pool rows, evaluation rows
        Buffer<double> rows;             // either, for their logits
        Buffer<double> logits;           // [kTile, classes]
        Buffer<double> values;           // of one sample
        Buffer<T> products, p, work;     // see GainTile
        Buffer<double> weights, change;  // [kRows, classes], [classes, kRows]
    };

    Worker& worker(int thread) {
        auto& own = workers_[static_cast<size_t>(thread)];
        if (!own) own = std::make_unique<Worker>(*this);
        return *own;
    }

    /// Pool rows of one product. Not every BLAS takes all rows of a product through the same
    /// instructions, so equal rows are tried out: of as many as tie.
    int64_t rows_at_once() {
        Worker& own = worker(0);
        for (int64_t k = 0; k < kTile * d_; ++k)
            own.y[k] = static_cast<T>(k % 251 + 1) / T{251};  // no short fractions
        for (int64_t i = 0; i < kRows; ++i)
            std::copy_n(own.y.data(), d_, own.x.data() + i * d_);
        int64_t rows = kRows;
        for (; rows > 1; rows /= 2) {
            multiply({own.x.data(), d_}, {own.y.data(), d_}, rows, own.products.data());
            const auto tie = [&](int64_t j) {
                const T* of_row = own.products.data() + j * kRows;
                return std::equal(of_row + 1, of_row + rows, of_row);
            };
            int64_t j = 0;
            while (j < kTile && tie(j)) ++j;
            if (j == kTile) break;
        }
        return rows;
    }

    /// products [kTile, kRows] <- y x^T, so many rows of x at once.
    void multiply(const RowChunk<T>& x, const RowChunk<T>& y, int64_t rows, T* products) const {
        for (int64_t i = 0; i < kRows; i += rows)
            context_.blas.gemm('T', 'N', static_cast<int>(rows), static_cast<int>(kTile),
                               static_cast<int>(d_), T{1}, x.data + i * x.stride,
                               static_cast<int>(x.stride), y.data, static_cast<int>(y.stride),
                               T{0}, products + i, static_cast<int>(kRows));
    }

    /// own.logits of rows [begin, begin + block), always in float64.
    void compute_logits(const VectorsView& v, int64_t begin, int64_t block, Worker& own) {
        const RowChunk<double> x = load_block<double>(v, begin, block, own.rows.data());
        context_.blas.gemm('N', 'N', classes_, static_cast<int>(block), static_cast<int>(d_),
                           1.0, weight_.data(), classes_, x.data, static_cast<int>(x.stride),
                           0.0, own.logits.data(), classes_);
        if (!problem_.bias) return;
        for (int64_t i = 0; i < block; ++i)
            for (int k = 0; k < classes_; ++k) own.logits[i * classes_ + k] += problem_.bias[k];
    }

    /// Tables of the evaluation set, and its mean entropy.
    void prepare() {
        const int64_t tiles = (m_ + kTile - 1) / kTile;
        std::vector<double> entropies(static_cast<size_t>(tiles), 0.0);
        parallel_for(context_, tiles, [&](int64_t tile, int thread) {
            Worker& own = worker(thread);
            const int64_t begin = tile * kTile, count = std::min(kTile, m_ - begin);
            compute_logits(problem_.eval_features, begin, kTile, own);
            double* const q = own.values.data();
            double* const s = q + classes_;
            for (int64_t j = 0; j < count; ++j) {
                const double h = softmax(own.logits.data() + j * classes_, classes_, q, s);
                entropies[static_cast<size_t>(tile)] += h;
                h_[begin + j] = static_cast<T>(h);
                for (int k = 0; k < classes_; ++k) {
                    s_[(begin + j) * classes_ + k] = static_cast<T>(s[k]);
                    q_[(begin + j) * classes_ + k] = static_cast<T>(q[k]);
                }
            }
        });
        for (const double h : entropies) entropy_ += h / static_cast<double>(m_);
    }

    /// own.p, and own.weights of the labels, of the block's rows.
    void load_probabilities(int64_t row, int64_t count, Worker& own) {
        const bool given = problem_.probabilities.rows > 0;
        if (!given) compute_logits(problem_.features, row, kRows, own);
        own.p.zero();
        double* const p = own.values.data();
        for (int64_t i = 0; i < count; ++i) {
            if (given) {
                double sum = 0.0;
                for (int k = 0; k < classes_; ++k)
                    sum += p[k] = problem_.probabilities.at(row + i, k);
                for (int k = 0; k < classes_; ++k) p[k] /= sum;
            } else {
                softmax(own.logits.data() + i * classes_, classes_, p, nullptr);
            }
            double* const w = own.weights.data() + i * classes_;
            double total = 0.0;
            for (int k = 0; k < classes_; ++k) {
                own.p[k * kRows + i] = static_cast<T>(p[k]);
                w[k] = problem_.class_weights[k] * (problem_.by_probability ? p[k] : 1.0);
                total += w[k];
            }
            if (!problem_.normalize) continue;
            if (total <= 0.0) throw weightless_row(row + i);
            for (int k = 0; k < classes_; ++k) w[k] /= total;
        }
    }

    /// Adds the evaluation samples [begin, end) to the scores of one block of rows.
    void score_block(int64_t row, int64_t begin, int64_t end, Worker& own, double* scores) {
        const int64_t count = std::min(kRows, n_ - row);
        load_probabilities(row, count, own);
        const RowChunk<T> x = load_block<T>(problem_.features, row, kRows, own.x.data());
        own.change.zero();
        GainTile<T> tile;
        tile.classes = classes_;
        tile.products = own.products.data();
        tile.rate = static_cast<T>(problem_.learning_rate);
        tile.bias = problem_.bias ? T{1} : T{0};
        tile.p = own.p.data();
        tile.change = own.change.data();
        tile.work = own.work.data();
        for (int64_t j = begin; j < end; j += kTile) {
            const RowChunk<T> y = load_block<T>(problem_.eval_features, j, kTile, own.y.data());
            multiply(x, y, rows_at_once_, own.products.data());
            tile.count = std::min(kTile, end - j);
            tile.s = s_.data() + j * classes_;
            tile.q = q_.data() + j * classes_;
            tile.h = h_.data() + j;
            kernels_.add_changes(tile);
        }
        for (int64_t i = 0; i < count; ++i) {
            const double* const w = own.weights.data() + i * classes_;
            double left = 1.0, change = 0.0;  // 1 - sum of the weights; sum of w_c (H2_c - H1)
            for (int c = 0; c < classes_; ++c) {
                left -= w[c];
                change += w[c] * own.change[c * kRows + i];
            }
            if (begin == 0) scores[row + i] = entropy_ * left;
            scores[row + i] -= change / static_cast<double>(m_);
        }
    }

    const Context& context_;
    const GainProblem& problem_;
    const GainKernels<T>& kernels_;
    int64_t n_, m_, d_;
    int64_t rows_at_once_ = kRows;
    int classes_;
    Buffer<double> weight_;  // [d, classes]
    Buffer<T> s_, q_, h_;    // see GainTile
    double entropy_ = 0.0;   // H1, mean over the evaluation set
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

std::vector<double> information_gain(const Context& context, const GainProblem& problem) {
    const bool single = problem.features.dtype == DType::float32 &&
                        problem.eval_features.dtype == DType::float32;
    return single ? GainScorer<float>(context, problem).run()
                  : GainScorer<double>(context, problem).run();
}

}  // namespace fisher_select::cpu
