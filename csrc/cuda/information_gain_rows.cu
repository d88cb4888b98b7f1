// SPDX-License-Identifier: Apache-2.0
// See information_gain_rows.h.
#include "information_gain_rows.h"

#include "elementary.h"
#include "launch.h"
#include "reduce.h"

namespace fisher_select::cuda {
namespace {

/// A thread an entry; neighbours along the vector.
template <class T>
__global__ void pack_kernel(VectorsView vectors, int64_t begin, int64_t count, int64_t block,
                            int64_t width, T* to) {
    const int64_t entry = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (entry >= block * width) return;
    const int64_t row = entry / width, k = entry % width;
    const bool inside = row < count && k < vectors.length;
    to[entry] = inside ? static_cast<T>(vectors.at(begin + row, 0, k)) : T(0);
}

/// Softmax of a row, by a warp: p_k = odds(k) / sum, entropy = log(sum) - moment / sum.
class RowSoftmax {
public:
    /// All lanes call it.
    __device__ RowSoftmax(const double* logits, const double* bias, int classes, int lane)
        : logits_(logits), bias_(bias), largest_(-ElementaryConstants<double>::infinity) {
        for (int k = lane; k < classes; k += kWarp) largest_ = Larger{}(largest_, logit(k));
        largest_ = warp_reduce(largest_, Larger{});
        for (int k = lane; k < classes; k += kWarp) {
            sum += odds(k);
            if (odds(k) > 0.0) moment += odds(k) * below(k);
        }
        sum = warp_reduce(sum, Plus{});
        moment = warp_reduce(moment, Plus{});
    }
    __device__ double below(int k) const { return logit(k) - largest_; }
    __device__ double odds(int k) const { return exp(below(k)); }

    double sum = 0.0, moment = 0.0;

private:
    __device__ double logit(int k) const {
        return logits_[k] + (bias_ != nullptr ? bias_[k] : 0.0);
    }

    const double *logits_, *bias_;
    double largest_;
};

/// A warp a sample.
template <class T>
__global__ void tables_kernel(const double* logits, const double* bias, int64_t count,
                              int classes, EvaluationTables<T> tables) {
    const int64_t j = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kWarp;
    if (j >= count) return;
    const int lane = static_cast<int>(threadIdx.x % kWarp);
    const RowSoftmax softmax(logits + j * classes, bias, classes, lane);
    for (int k = lane; k < classes; k += kWarp) {
        tables.s[j * classes + k] =
            static_cast<T>(softmax.below(k) - softmax.moment / softmax.sum);
        tables.q[j * classes + k] = static_cast<T>(softmax.odds(k) / softmax.sum);
    }
    if (lane != 0) return;
    tables.entropy[j] = log(softmax.sum) - softmax.moment / softmax.sum;
    tables.h[j] = static_cast<T>(tables.entropy[j]);
}

/// The weights of a row, given p_k as probability(k); its warp calls it.
template <class T, class Probability>
__device__ void weigh(const WeightedRows<T>& rows, int64_t row, int lane,
                      const Probability& probability) {
    const int C = rows.classes;
    double* const w = rows.weights + row * C;
    double total = 0.0;
    for (int k = lane; k < C; k += kWarp) {
        const double p = probability(k);
        rows.p[row * C + k] = static_cast<T>(p);
        w[k] = rows.class_weights[k] * (rows.by_probability ? p : 1.0);
        total += w[k];
    }
    total = warp_reduce(total, Plus{});
    if (rows.normalize) {
        if (total <= 0.0 && lane == 0)
            atomicMin(rows.weightless, static_cast<unsigned long long>(rows.begin + row));
        for (int k = lane; k < C; k += kWarp) w[k] /= total;
        total = 1.0;
    }
    if (lane == 0) rows.left[row] = 1.0 - total;
}

/// A warp a sample.
template <class T>
__global__ void weigh_kernel(WeightedRows<T> rows) {
    const int64_t row = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kWarp;
    if (row >= rows.count) return;
    const int lane = static_cast<int>(threadIdx.x % kWarp);
    if (rows.given.rows > 0) {
        double sum = 0.0;
        for (int k = lane; k < rows.classes; k += kWarp)
            sum += rows.given.at(rows.begin + row, k);
        sum = warp_reduce(sum, Plus{});
        weigh(rows, row, lane, [&](int k) { return rows.given.at(rows.begin + row, k) / sum; });
    } else {
        const RowSoftmax softmax(rows.logits + row * rows.classes, rows.bias, rows.classes,
                                 lane);
        weigh(rows, row, lane, [&](int k) { return softmax.odds(k) / softmax.sum; });
    }
}

}  // namespace

template <class T>
void pack_rows(const Device& device, const VectorsView& vectors, int64_t begin, int64_t count,
               int64_t block, int64_t width, T* to) {
    launch(device, "read the samples", one_thread_each(block * width), &pack_kernel<T>, vectors,
           begin, count, block, width, to);
}

template <class T>
void fill_tables(const Device& device, const double* logits, const double* bias, int64_t count,
                 int classes, const EvaluationTables<T>& tables) {
    launch(device, "prepare the evaluation set", one_thread_each(count * kWarp),
           &tables_kernel<T>, logits, bias, count, classes, tables);
}

template <class T>
void weigh_rows(const Device& device, const WeightedRows<T>& rows) {
    launch(device, "weigh the labels", one_thread_each(rows.count * kWarp), &weigh_kernel<T>,
           rows);
}

template void pack_rows(const Device&, const VectorsView&, int64_t, int64_t, int64_t, int64_t,
                        float*);
template void pack_rows(const Device&, const VectorsView&, int64_t, int64_t, int64_t, int64_t,
                        double*);
template void fill_tables(const Device&, const double*, const double*, int64_t, int,
                          const EvaluationTables<float>&);
template void fill_tables(const Device&, const double*, const double*, int64_t, int,
                          const EvaluationTables<double>&);
template void weigh_rows(const Device&, const WeightedRows<float>&);
template void weigh_rows(const Device&, const WeightedRows<double>&);

}  // namespace fisher_select::cuda
