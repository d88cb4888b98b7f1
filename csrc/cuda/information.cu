// SPDX-License-Identifier: Apache-2.0
// Accumulation of M and F on a device, and the blocked updates of Q and P; see information.h.
#include "information.h"

#include <algorithm>
#include <string>
#include <utility>

#include "device_rows.h"
#include "error.h"
#include "factor_entries.h"
#include "launch.h"

namespace fisher_select::cuda {
namespace {

constexpr int64_t kPendingColumns = 192;           // of U, before Q and P are consolidated
constexpr int64_t kChunkBytes = int64_t{1} << 25;  // of weighted vectors
constexpr const char* kRemedy = "lower the feature width or the number of classes";

/// x [rows, slots, length] in float64; a thread an element.
__global__ void load_vectors(Factors f, RowList rows, int64_t begin, int64_t size, double* x) {
    const int64_t entry = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    const int64_t d = f.length(), slots = f.vectors.slots;
    if (entry >= size * slots * d) return;
    x[entry] = f.vectors.at(rows[begin + entry / (slots * d)], entry / d % slots, entry % d);
}

/// w, m [rows, groups, classes] and t [rows] of Factors::weights; a thread a row.
__global__ void load_weights(Factors f, RowList rows, int64_t begin, int64_t size,
                             bool all_columns, double* w, double* m, double* t) {
    const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const int64_t own = i * f.groups * f.classes;
    t[i] = f.weights(rows[begin + i], all_columns, w + own, m + own);
}

/// weights [rows, k + 1] = entries (k, l), l <= k, of L L^T of one group; a thread an entry.
__global__ void block_weights(Factors f, int group, int k, int64_t size, const double* w,
                              const double* m, const double* t, double* weights) {
    const int64_t entry = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (entry >= size * (k + 1)) return;
    const int64_t i = entry / (k + 1), own = (i * f.groups + group) * f.classes;
    weights[entry] = block_weight(w + own, m + own, t[i], k, static_cast<int>(entry % (k + 1)));
}

/// weighted [vectors, k + 1, length] = weight (k, l) of the vector's row times the vector.
__global__ void weigh_vectors(Factors f, int k, int64_t size, const double* weights,
                              const double* x, double* weighted) {
    const int64_t entry = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    const int64_t d = f.length(), slots = f.vectors.slots;
    if (entry >= size * slots * (k + 1) * d) return;
    const int64_t vector = entry / ((k + 1) * d), l = entry / d % (k + 1);
    weighted[entry] = weights[vector / slots * (k + 1) + l] * x[vector * d + entry % d];
}

}  // namespace

Information::Information(const Device& device, const Factors& factors, double lam,
                         PoolFisher pool_fisher)
    : device_(device), factors_(factors), pool_fisher_(pool_fisher) {
    m_ = square_matrices();
    for (SquareMatrix& m : m_) set_identity(device, m, lam);
    if (pool_fisher == PoolFisher::mean) {
        f_ = square_matrices();
        for (SquareMatrix& f : f_) f.values.zero();
        accumulate({nullptr, factors.count()}, true, 1.0 / static_cast<double>(factors.count()),
                   f_);
    }
    pending_.capacity = std::max<int64_t>(1, kPendingColumns / factors.rank);
    const auto updates = [&] {
        return DeviceBuffer<double>(
            device, {factors.groups, pending_.capacity * factors.rank, factors.block()},
            "the pending updates", kRemedy);
    };
    u_ = updates();
    if (has_p()) r_ = updates();
    pending_.u = u_.data();
    pending_.r = r_.data();
}

std::vector<SquareMatrix> Information::square_matrices() const {
    std::vector<SquareMatrix> matrices;
    for (int g = 0; g < factors_.groups; ++g) matrices.emplace_back(device_, factors_.block());
    return matrices;
}

void Information::add_labeled(const RowList& rows, double coefficient) {
    const DeviceRows on_device(device_, rows);
    accumulate(on_device.view(), true, coefficient, m_);
}

void Information::add_samples(const RowList& rows, double coefficient) {
    const DeviceRows on_device(device_, rows);
    accumulate(on_device.view(), false, coefficient, m_);
}

/// Block row k of the lower triangle is one GEMM a chunk: X^T [w_k0 X | ... | w_kk X].
void Information::accumulate(const RowList& rows, bool all_columns, double coefficient,
                             std::vector<SquareMatrix>& target) {
    const Factors& f = factors_;
    const int64_t d = f.length(), slots = f.vectors.slots, side = f.block();
    const int64_t chunk =
        std::min(rows.count, std::clamp<int64_t>(kChunkBytes / 8 / (side * slots), 64, 1024));
    constexpr const char* kPurpose = "a chunk of the pool in float64";
    DeviceBuffer<double> x(device_, {chunk, slots, d}, kPurpose, kRemedy);
    DeviceBuffer<double> w(device_, {chunk, f.groups, f.classes}, kPurpose, kRemedy);
    DeviceBuffer<double> m(device_, {chunk, f.groups, f.classes}, kPurpose, kRemedy);
    DeviceBuffer<double> t(device_, {chunk}, kPurpose, kRemedy);
    DeviceBuffer<double> weights(device_, {chunk, f.classes}, kPurpose, kRemedy);
    DeviceBuffer<double> weighted(device_, {chunk, slots, side}, kPurpose, kRemedy);
    for (int64_t begin = 0; begin < rows.count; begin += chunk) {
        const int64_t size = std::min(chunk, rows.count - begin), vectors = size * slots;
        launch(device_, "read the pool", one_thread_each(vectors * d), &load_vectors, f, rows,
               begin, size, x.data());
        launch(device_, "read the pool", one_thread_each(size), &load_weights, f, rows, begin,
               size, all_columns, w.data(), m.data(), t.data());
        for (int g = 0; g < f.groups; ++g)
            for (int k = 0; k < f.classes; ++k) {
                const int64_t width = (k + 1) * d;
                launch(device_, "weigh the pool", one_thread_each(size * (k + 1)),
                       &block_weights, f, g, k, size, w.data(), m.data(), t.data(),
                       weights.data());
                launch(device_, "weigh the pool", one_thread_each(vectors * width),
                       &weigh_vectors, f, k, size, weights.data(), x.data(), weighted.data());
                const SquareMatrix& sum = target[static_cast<size_t>(g)];
                gemm(device_, 'N', 'T', d, width, vectors, coefficient, x.data(), d,
                     weighted.data(), width, 1.0, sum.at(k * d, 0), side);
            }
    }
    for (SquareMatrix& sum : target) mirror(device_, sum);
}

void Information::refresh(int64_t step) {
    if (q_.empty()) {
        q_ = square_matrices();
        if (has_p()) p_ = square_matrices();
        factor_ = SquareMatrix(device_, factors_.block());
    }
    log_det_ = 0.0;
    std::vector<const double*> q, p;
    for (size_t g = 0; g < m_.size(); ++g) {
        check(cudaMemcpyAsync(q_[g].values.data(), m_[g].values.data(),
                              static_cast<size_t>(m_[g].values.size()) * sizeof(double),
                              cudaMemcpyDeviceToDevice, device_.stream()),
              "copy M");
        double log_det = 0.0;
        if (!invert_factor(device_, q_[g], factor_, log_det))
            throw NumericalError("M is not positive definite after " + std::to_string(step) +
                                     " picks: lam is too small for these factors",
                                 step);
        log_det_ += log_det;
        if (has_p()) sandwich(device_, factor_, f_.empty() ? nullptr : &f_[g], p_[g], q_[g]);
        inverse(device_, factor_, q_[g]);
        q.push_back(q_[g].values.data());
        if (has_p()) p.push_back(p_[g].values.data());
    }
    const auto upload = [&](const std::vector<const double*>& pointers,
                            DeviceBuffer<const double*>& to) {
        const auto count = static_cast<int64_t>(pointers.size());
        if (to.empty())
            to = DeviceBuffer<const double*>(device_, {count}, "a list of groups", kRemedy);
        to.upload(pointers.data(), count);
    };
    upload(q, q_pointers_);
    if (has_p()) upload(p, p_pointers_);
}

double Information::objective() const {
    if (!has_p()) return log_det_;
    double total = 0.0;
    for (size_t g = 0; g < q_.size(); ++g)
        total += trace_of_product(device_, q_[g], f_.empty() ? nullptr : &f_[g]);
    return total;
}

void Information::consolidate(int64_t count) {
    if (count == 0) return;
    const int64_t side = factors_.block(), columns = count * factors_.rank;
    for (int g = 0; g < factors_.groups; ++g) {
        const int64_t own = g * pending_.capacity * factors_.rank * side;
        const auto subtract = [&](const double* left, const double* right,
                                  const SquareMatrix& from) {
            gemm(device_, 'N', 'T', side, side, columns, -pending_.sign, left + own, side,
                 right + own, side, 1.0, from.at(0, 0), side);
        };
        subtract(pending_.u, pending_.u, Q(g));
        if (!has_p()) continue;
        subtract(pending_.u, pending_.r, P(g));
        subtract(pending_.r, pending_.u, P(g));
    }
}

}  // namespace fisher_select::cuda
