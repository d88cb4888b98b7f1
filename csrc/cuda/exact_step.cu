// SPDX-License-Identifier: Apache-2.0
// What the winner's commit brings: U, R into the pending updates and as a panel for the pool
// (exact.h). Every kernel returns at once where the stage has stopped.
#include "exact.h"
#include "factor_entries.h"
#include "launch.h"
#include "rank_dispatch.h"

namespace fisher_select::cuda {
namespace {

/// K^-1, E and S of the winner (factor_entries.h); a block a group.
template <int R>
__global__ void __launch_bounds__(kThreads) small_step(Evaluation e) {
    if (e.state->stopped != kGoing) return;
    const Factors& f = e.factors;
    const int r = R > 0 ? R : f.rank, inner = f.inner();
    const int64_t group = blockIdx.x, place = e.state->winner_place;
    const int64_t at = place * f.groups + group;
    const double *s = e.s + place * f.link_size() + group * f.group_links(),
                 *mu = e.mu + place * f.mean_size();
    const double *G = e.g + at * triangle(inner), *H = e.h + at * triangle(inner);
    double *inverse = e.inverse + group * triangle(r), *half = e.half + group * r * r;
    double *E = e.E + group * r * inner, *S = e.S + group * r * r;
    if (threadIdx.x == 0) {
        add_identity(r, e.sign, G, inverse);
        inverse_cholesky<R>(r, inverse);
    }
    __syncthreads();
    for (int k = static_cast<int>(threadIdx.x); k < r * inner; k += kThreads)
        E[k] = update_entry(f, e.scale, s, mu, inverse, k % inner, k / inner);
    if (e.criterion == Criterion::log_det) return;
    for (int k = static_cast<int>(threadIdx.x); k < r * r; k += kThreads)
        half[k] = half_step_entry(H, inverse, k % r, k / r);
    __syncthreads();
    for (int k = static_cast<int>(threadIdx.x); k < r * r; k += kThreads)
        S[k] = step_entry(r, half, inverse, k % r, k / r);
}

/// U = QX E (blockIdx.y = 0), or PX E: an entry of each a thread, into the pending updates.
__global__ void large_step(Evaluation e, int64_t slot) {
    if (e.state->stopped != kGoing) return;
    const Factors& f = e.factors;
    const int64_t side = f.block(), room = e.pending.capacity * f.rank;
    const int64_t item = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (item >= f.groups * f.rank * side) return;
    const int64_t i = item % side, j = item / side % f.rank, group = item / side / f.rank;
    const double* images =
        (blockIdx.y == 0 ? e.qx : e.px) + products_at(e, e.state->winner_place, group) + i;
    const double* E = e.E + (group * f.rank + j) * f.inner();
    double sum = 0.0;
    for (int b = 0; b < f.inner(); ++b) sum += images[b * side] * E[b];
    (blockIdx.y == 0 ? e.pending.u
                     : e.pending.r)[(group * room + slot * f.rank + j) * side + i] = sum;
}

/// R -= sign U S / 2, and the panel U | R; a thread an entry of U.
template <class T>
__global__ void finish_step(Evaluation e, int64_t slot, T* panel) {
    if (e.state->stopped != kGoing) return;
    const Factors& f = e.factors;
    const int64_t d = f.length(), side = f.block(), room = e.pending.capacity * f.rank;
    const int64_t item = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (item >= f.groups * f.rank * side) return;
    const int64_t i = item % side, j = item / side % f.rank, group = item / side / f.rank;
    const int64_t update = (group * room + slot * f.rank) * side + i;
    const int64_t columns = update_columns(e.criterion, f.rank);
    T* to = panel + ((group * f.classes + i / d) * columns + j) * d + i % d;
    to[0] = static_cast<T>(e.scale * e.pending.u[update + j * side]);
    if (e.criterion == Criterion::log_det) return;
    const double* S = e.S + (group * f.rank + j) * f.rank;
    double sum = 0.0;
    for (int k = 0; k < f.rank; ++k) sum += e.pending.u[update + k * side] * S[k];
    double& r = e.pending.r[update + j * side];
    r -= 0.5 * e.sign * sum;
    to[f.rank * d] = static_cast<T>(e.scale * r);
}

}  // namespace

template <class T>
void Evaluator::commit(int64_t slot, T* panel) {
    const Factors& f = arrays_.factors;
    const Evaluation& e = arrays_;
    constexpr const char* kAsked = "commit a pick";
    with_rank(f.rank, [&](auto rank) {
        launch(device_, kAsked, {f.groups, kThreads}, &small_step<decltype(rank)::value>, e);
    });
    const Grid entries = one_thread_each(f.groups * f.rank * f.block());
    Grid of_both = entries;
    of_both.blocks_y = e.criterion == Criterion::trace ? 2 : 1;
    launch(device_, kAsked, of_both, &large_step, e, slot);
    launch(device_, kAsked, entries, &finish_step<T>, e, slot, panel);
}

template void Evaluator::commit(int64_t, float*);
template void Evaluator::commit(int64_t, double*);

}  // namespace fisher_select::cuda
