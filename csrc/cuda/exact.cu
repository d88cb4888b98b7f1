// SPDX-License-Identifier: Apache-2.0
// See exact.h. Every kernel returns at once where the stage has stopped.
#include "exact.h"

#include <algorithm>

#include "factor_entries.h"
#include "launch.h"
#include "rank_dispatch.h"
#include "reduce.h"

namespace fisher_select::cuda {
namespace {

constexpr int kVectors = 4;  // right-hand sides that one reading of Q and P serves
constexpr int kTile = 1024;  // of a vector, in shared memory
constexpr int kWarps = kThreads / kWarp;

__device__ int places(const Evaluation& e, int first) {
    if (e.state->stopped != kGoing) return 0;
    if (first == kWinner) return 1;
    const int left = e.state->leaders.count - first;
    return left < 0 ? 0 : left < kPlaces ? left : kPlaces;
}

__device__ int64_t row_at(const Evaluation& e, int first, int place) {
    return e.rows[first == kWinner ? e.state->winner.index
                                   : e.state->leaders.item[first + place].index];
}

/// Vectors and links in float64; a block a vector.
__global__ void load_candidates(Evaluation e, int first) {
    const Factors& f = e.factors;
    const int place = static_cast<int>(blockIdx.x / f.vectors.slots);
    const int64_t slot = blockIdx.x % f.vectors.slots, d = f.length();
    if (place >= places(e, first)) return;
    const int64_t row = row_at(e, first, place);
    for (int64_t k = threadIdx.x; k < d; k += blockDim.x)
        e.x[blockIdx.x * d + k] = f.vectors.at(row, slot, k);
    if (slot == 0 && threadIdx.x == 0)
        f.link_coefficients(row, e.s + place * f.link_size(), e.mu + place * f.mean_size());
}

/// qx, px without the pending updates: a warp a column of Q (blockIdx.y = 0) or P, which by
/// symmetry is a row. Reads each matrix once for kVectors vectors.
__global__ void __launch_bounds__(kThreads) stored_products(Evaluation e, int first) {
    __shared__ double tile[kVectors][kTile];
    const Factors& f = e.factors;
    const int64_t d = f.length(), side = f.block(),
                  vectors = places(e, first) * f.vectors.slots;
    const int64_t column = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
    const bool own = column < f.groups * side;
    const int64_t group = own ? column / side : 0, place = own ? column % side : 0;
    const int lane = static_cast<int>(threadIdx.x % kWarp);
    const double* a = (blockIdx.y == 0 ? e.q : e.p)[group] + place * side;
    double* out = blockIdx.y == 0 ? e.qx : e.px;
    for (int64_t v0 = 0; v0 < vectors; v0 += kVectors)
        for (int64_t b = 0; b < f.classes; ++b) {
            double sums[kVectors] = {};
            for (int64_t t0 = 0; t0 < d; t0 += kTile) {
                const int64_t length = d - t0 < kTile ? d - t0 : kTile;
                if (b == 0 || d > kTile) {  // a short vector stays for all the classes
                    __syncthreads();
                    for (int64_t k = threadIdx.x; k < kVectors * length; k += kThreads) {
                        const int64_t v = k / length;
                        tile[v][k % length] =
                            v0 + v < vectors ? e.x[(v0 + v) * d + t0 + k % length] : 0.0;
                    }
                    __syncthreads();
                }
                if (!own) continue;
                for (int64_t k = lane; k < length; k += kWarp) {
                    const double value = a[b * d + t0 + k];
                    for (int v = 0; v < kVectors; ++v) sums[v] += value * tile[v][k];
                }
            }
            for (int v = 0; v < kVectors; ++v) {
                const double sum = warp_reduce(sums[v], Plus{});
                if (own && lane == 0 && v0 + v < vectors)
                    out[(v0 + v) * product_size(e) + (group * f.classes + b) * side + place] =
                        sum;
            }
        }
}

/// u_dots, r_dots = U^T (e_a (x) x), R^T (e_a (x) x): a warp a pending column and class.
__global__ void pending_dots(Evaluation e, int first, int64_t columns) {
    const Factors& f = e.factors;
    const int64_t d = f.length(), side = f.block(), room = e.pending.capacity * f.rank;
    const int64_t item = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kWarp;
    const int64_t vectors = places(e, first) * f.vectors.slots;
    if (item >= f.groups * columns * f.classes) return;
    const int64_t a = item % f.classes, column = item / f.classes % columns;
    const int64_t group = item / f.classes / columns;
    const double* left =
        (blockIdx.y == 0 ? e.pending.u : e.pending.r) + (group * room + column) * side + a * d;
    double* out = blockIdx.y == 0 ? e.u_dots : e.r_dots;
    for (int64_t v = 0; v < vectors; ++v) {
        double sum = 0.0;
        for (int64_t k = threadIdx.x % kWarp; k < d; k += kWarp)
            sum += left[k] * e.x[v * d + k];
        sum = warp_reduce(sum, Plus{});
        if (threadIdx.x % kWarp == 0)
            out[((v * f.groups + group) * room + column) * f.classes + a] = sum;
    }
}

/// qx -= sign U u_dots, px -= sign (U r_dots + R u_dots): a thread an entry of a product.
__global__ void subtract_pending(Evaluation e, int first, int64_t columns) {
    const Factors& f = e.factors;
    const int64_t side = f.block(), room = e.pending.capacity * f.rank;
    const int64_t item = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    const int64_t vectors = places(e, first) * f.vectors.slots;
    if (item >= product_size(e)) return;
    const int64_t i = item % side, a = item / side % f.classes, group = item / side / f.classes;
    const double *u = e.pending.u + group * room * side + i,
                 *r = e.pending.r + (e.pending.r == nullptr ? 0 : group * room * side + i);
    for (int64_t v = 0; v < vectors; ++v) {
        const int64_t dots = (v * f.groups + group) * room * f.classes + a;
        double of_q = 0.0, of_p = 0.0;
        for (int64_t column = 0; column < columns; ++column) {
            const double u_dot = e.u_dots[dots + column * f.classes];
            of_q += u[column * side] * u_dot;
            if (e.criterion == Criterion::trace)
                of_p += u[column * side] * e.r_dots[dots + column * f.classes] +
                        r[column * side] * u_dot;
        }
        e.qx[v * product_size(e) + item] -= e.pending.sign * of_q;
        if (e.criterion == Criterion::trace)
            e.px[v * product_size(e) + item] -= e.pending.sign * of_p;
    }
}

/// Raw G (blockIdx.y = 0) and H: x^T Q_ab x of every candidate, group and pair a >= b, a warp
/// each.
__global__ void raw_state(Evaluation e, int first) {
    const Factors& f = e.factors;
    const int inner = f.inner();
    const int64_t d = f.length(), entries = triangle(inner);
    const int64_t item = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kWarp;
    const int64_t place = item / (f.groups * entries), group = item / entries % f.groups;
    if (place >= places(e, first)) return;
    int a = 0;
    while (triangle(a + 1) <= item % entries) ++a;
    const int64_t b = item % entries - triangle(a);
    const bool dense = f.kind == FactorKind::dense;
    const double* x = e.x + (place * f.vectors.slots + (dense ? a : 0)) * d;
    const double* images = (blockIdx.y == 0 ? e.qx : e.px) + products_at(e, place, group) +
                           b * f.block() + (dense ? 0 : a * d);
    double sum = 0.0;
    for (int64_t k = threadIdx.x % kWarp; k < d; k += kWarp) sum += x[k] * images[k];
    sum = warp_reduce(sum, Plus{});
    if (threadIdx.x % kWarp == 0) (blockIdx.y == 0 ? e.g : e.h)[item] = sum;
}

/// G, H and the score of every candidate and group, a thread each.
template <int R>
__global__ void __launch_bounds__(kWarp) group_scores(Evaluation e, int first) {
    const Factors& f = e.factors;
    const int64_t item = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    const int64_t place = item / f.groups, group = item % f.groups;
    if (place >= places(e, first)) return;
    const int64_t entries = triangle(f.inner()), room = congruence_work(f);
    const double *s = e.s + place * f.link_size() + group * f.group_links(),
                 *mu = e.mu + place * f.mean_size();
    double *G = e.g + item * entries, *H = e.h + item * entries, *work = e.work + item * room;
    const double scale = e.scale * e.scale;
    congruence_any_link<R>(f, scale, s, mu, G, work);
    if (e.criterion == Criterion::log_det) {
        e.group_scores[item] = log_det_score<R>(f.rank, e.sign, G, work);
        return;
    }
    congruence_any_link<R>(f, scale, s, mu, H, work);
    e.group_scores[item] = trace_score<R>(f.rank, e.sign, G, H, work);
}

/// One block: the scores of the leaders that were evaluated.
__global__ void sum_scores(Evaluation e, int first) {
    const int place = static_cast<int>(threadIdx.x);
    if (first == kWinner || place >= places(e, first)) return;
    double sum = 0.0;
    for (int g = 0; g < e.factors.groups; ++g)
        sum += e.group_scores[place * e.factors.groups + g];
    e.state->leaders.item[first + place].exact = e.sign * sum;
}

}  // namespace

Evaluator::Evaluator(const Device& device, const Factors& factors, const RowList& rows,
                     const Information& information, const PoolOptions& options,
                     PickState* state)
    : device_(device), information_(information) {
    Evaluation& e = arrays_;
    e.factors = factors;
    e.rows = rows;
    e.criterion = options.criterion;
    e.scale = options.scale;
    e.sign = options.sign;
    e.pending = information.pending();
    e.q = information.q_groups();
    e.p = information.p_groups();
    e.state = state;
    const int64_t groups = factors.groups, r = factors.rank, inner = factors.inner();
    const int64_t vectors = kPlaces * factors.vectors.slots, candidates = kPlaces * groups;
    const int64_t dots = vectors * groups * e.pending.capacity * r * factors.classes;
    struct Part {
        double** array;
        int64_t size;
    };
    const Part parts[] = {
        {&e.x, vectors * factors.length()},
        {&e.qx, vectors * information.product_size()},
        {&e.px, information.has_p() ? vectors * information.product_size() : 0},
        {&e.s, kPlaces * factors.link_size()},
        {&e.mu, kPlaces * factors.mean_size()},
        {&e.g, candidates * triangle(factors.inner())},
        {&e.h, candidates * triangle(factors.inner())},
        {&e.u_dots, dots},
        {&e.r_dots, information.has_p() ? dots : 0},
        {&e.group_scores, candidates},
        {&e.work, candidates * congruence_work(factors)},
        {&e.inverse, groups * triangle(factors.rank)},
        {&e.half, groups * r * r},
        {&e.E, groups * r * inner},
        {&e.S, groups * r * r}};
    int64_t total = 0;
    for (const Part& part : parts) total += part.size;
    values_ = DeviceBuffer<double>(device, {total}, "the leaders' products with Q and P",
                                   factors.matrix_remedy(options.criterion));
    double* next = values_.data();
    for (const Part& part : parts) {
        *part.array = next;
        next += part.size;
    }
}

void Evaluator::evaluate(int first, int64_t pending) {
    const Factors& f = arrays_.factors;
    constexpr const char* kAsked = "score the leaders";
    const Evaluation& e = arrays_;
    const int64_t matrices = e.criterion == Criterion::trace ? 2 : 1;
    const auto both = [&](Grid grid) {
        grid.blocks_y = matrices;
        return grid;
    };
    const int64_t columns = pending * f.rank;
    launch(device_, kAsked, {kPlaces * f.vectors.slots, kThreads}, &load_candidates, e, first);
    launch(device_, kAsked, both({ceil_div(f.groups * f.block(), kWarps), kThreads}),
           &stored_products, e, first);
    if (columns > 0) {
        launch(device_, kAsked, both(one_thread_each(f.groups * columns * f.classes * kWarp)),
               &pending_dots, e, first, columns);
        launch(device_, kAsked, one_thread_each(information_.product_size()), &subtract_pending,
               e, first, columns);
    }
    launch(device_, kAsked,
           both(one_thread_each(kPlaces * f.groups * triangle(f.inner()) * kWarp)), &raw_state,
           e, first);
    with_rank(f.rank, [&](auto rank) {
        launch(device_, kAsked, one_thread_each(kPlaces * f.groups, kWarp),
               &group_scores<decltype(rank)::value>, e, first);
    });
    launch(device_, kAsked, {1, kWarp}, &sum_scores, e, first);
}

}  // namespace fisher_select::cuda
