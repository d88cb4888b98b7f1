// SPDX-License-Identifier: Apache-2.0
// See information_picker.h.
#include "information_picker.h"

#include <algorithm>
#include <limits>

#include "factor_entries.h"
#include "launch.h"
#include "leaders.h"

namespace fisher_select::cuda {
namespace {

constexpr const char* kRemedy = "select from a part of the pool";
/// Multiplications of a pick that take about as long as launching its kernels: 50 us.
constexpr double kLaunchesRule = 1e9;

/// What a batch starts from; the rest of the state goes on.
__global__ void start_batch(PickState* state) {
    state->stopped = kGoing;
    state->made = 0;
}

__global__ void restart(PickState* state, double margin, double objective) {
    state->margin = margin;
    state->objective = objective;
}

/// The verdict on the leaders, and the winner if there is one; one thread.
__global__ void decide(PickState* state, double rtol, double sign, double resolution,
                       bool even_if_worn, bool crowded, Criterion criterion, char* taken,
                       Pick* found) {
    if (state->stopped != kGoing) return;
    const Leaders& leaders = state->leaders;
    if (leaders.count > kPlaces && !crowded) {
        state->stopped = kCrowded;
        return;
    }
    Leader& winner = state->winner;
    const Verdict verdict = judge(leaders, rtol, state->margin, state->max_drift, winner);
    if (verdict != Verdict::sound) {
        state->stopped = verdict == Verdict::widen ? kWiden : kUnsound;
        return;
    }
    if (!even_if_worn && worn_by_rounding(sign, resolution, state->error_scale, winner.exact)) {
        state->stopped = kWorn;
        return;
    }
    state->winner_place = 0;
    for (int l = 0; !crowded && l < leaders.count; ++l)
        if (leaders.item[l].index == winner.index) state->winner_place = l;
    taken[winner.index] = 1;
    // A gain lowers the trace, and raises the log-determinant.
    state->objective += criterion == Criterion::trace ? -winner.exact : winner.exact;
    found[state->made] = {winner.index, winner.exact, state->objective};
    ++state->made;
}

}  // namespace

InformationPicker::InformationPicker(const Device& device, const Factors& factors,
                                     Information& information, const StageProblem& problem)
    : device_(device),
      factors_(factors),
      rows_(device, problem.rows),
      information_(information),
      options_(problem.pool),
      precision_(problem.precision),
      rtol_(problem.greedy.rtol),
      taken_(device, {rows_.count()}, "the mask of taken rows", kRemedy),
      best_(device, {ceil_div(rows_.count(), kScreenBlock)}, "the screen's maxima", kRemedy),
      state_(device, {1}, "the state of a pick", kRemedy),
      found_(device, {kBatch}, "the picks", kRemedy) {
    const RowList& rows = problem.rows;
    if (!rows.all()) host_rows_.assign(rows.index, rows.index + rows.count);
    options_.sign = problem.direction == Direction::add ? 1.0 : -1.0;
    information_.set_sign(options_.sign);
    evaluator_ = std::make_unique<Evaluator>(device, factors, rows_.view(), information,
                                             options_, state_.data());
    taken_.upload(problem.taken.data(), rows.count);
    state_.zero();
    rebuild_state();
}

double InformationPicker::resolution() const {
    return precision_ == Precision::float32
               ? static_cast<double>(std::numeric_limits<float>::epsilon())
               : std::numeric_limits<double>::epsilon();
}

void InformationPicker::rebuild_state() {
    update_pending_ = false;
    fresh_ = true;
    pending_ = 0;
    if (precision_ == Precision::float32) {
        if (!single_)
            single_ =
                std::make_unique<PoolState<float>>(device_, factors_, rows_.view(), options_);
        single_->reset(information_);
    } else {
        single_.reset();
        if (!double_)
            double_ =
                std::make_unique<PoolState<double>>(device_, factors_, rows_.view(), options_);
        double_->reset(information_);
    }
    launch(device_, "begin a stage", {1, 1}, &restart, state_.data(),
           first_margin(resolution()), information_.objective());
}

void InformationPicker::settle() {
    information_.add_samples({committed_.data(), static_cast<int64_t>(committed_.size())},
                             options_.sign * options_.scale * options_.scale);
    committed_.clear();
}

void InformationPicker::refresh(int64_t step) {
    settle();
    information_.refresh(step);
    rebuild_state();
}

bool InformationPicker::raise_precision(int64_t step) {
    if (precision_ == Precision::float64) return false;
    precision_ = Precision::float64;
    graphs_.clear();
    committed_.empty() ? rebuild_state() : refresh(step);
    return true;
}

Advance InformationPicker::advance(int64_t most, bool even_if_worn) {
    if (fresh_) {
        double* error_scale = &state_.data()->error_scale;
        single_ ? single_->largest_trace(taken_.data(), error_scale)
                : double_->largest_trace(taken_.data(), error_scale);
        fresh_ = false;
    }
    Advance advance;
    bool crowded = false;
    while (advance.picks.empty() && advance.doubt == Doubt::none) {
        const int64_t room = information_.pending().capacity - pending_;
        if (crowded || even_if_worn)
            enqueue(1, crowded, even_if_worn);
        else
            enqueue_graph(std::min({most, kBatch, room}));
        const int stopped = collect(advance);
        if (stopped == kUnsound) advance.doubt = Doubt::unsound;
        if (stopped == kWorn) advance.doubt = Doubt::worn;
        crowded = stopped == kCrowded;
    }
    return advance;
}

void InformationPicker::enqueue(int64_t count, bool crowded, bool even_if_worn) {
    launch(device_, "begin some picks", {1, 1}, &start_batch, state_.data());
    for (int64_t k = 0; k < count; ++k)
        single_ ? enqueue_pick(*single_, pending_ + k, crowded, even_if_worn)
                : enqueue_pick(*double_, pending_ + k, crowded, even_if_worn);
}

void InformationPicker::enqueue_graph(int64_t count) {
    // Where a pick's own work hides its launches there is nothing to gain.
    if (factors_.pick_cost(options_.criterion) > kLaunchesRule)
        return enqueue(count, false, false);
    const auto [found, is_new] = graphs_.try_emplace({pending_, count, update_pending_});
    if (is_new) return enqueue(count, false, false);
    std::unique_ptr<Graph>& graph = found->second;
    if (!graph) graph = std::make_unique<Graph>(device_, [&] { enqueue(count, false, false); });
    graph->launch(device_);
    update_pending_ = true;
}

template <class T>
void InformationPicker::enqueue_pick(PoolState<T>& pool, int64_t slot, bool crowded,
                                     bool even_if_worn) {
    PickState* state = state_.data();
    if (update_pending_) pool.update(&state->stopped);
    collect_leaders<T>(device_, factors_, rows_.view(), pool.scores(), taken_.data(),
                       best_.data(), state);
    for (int first = 0; first < (crowded ? Leaders::kMost : 1); first += kPlaces)
        evaluator_->evaluate(first, slot);
    launch(device_, "choose a pick", {1, 1}, &decide, state, rtol_, options_.sign, resolution(),
           even_if_worn, crowded, options_.criterion, taken_.data(), found_.data());
    if (crowded) evaluator_->evaluate(kWinner, slot);
    evaluator_->commit(slot, pool.panel());
    update_pending_ = true;
}

int InformationPicker::collect(Advance& advance) {
    PickState seen{};
    state_.download(&seen, 1);
    std::vector<Pick> picks(static_cast<size_t>(seen.made));
    found_.download(picks.data(), seen.made);
    max_drift_ = seen.max_drift;
    for (const Pick& pick : picks) {
        advance.picks.push_back(pick.index);
        advance.scores.push_back(pick.score);
        path_.push_back(pick.objective);
        committed_.push_back(host_rows_.empty() ? pick.index
                                                : host_rows_[static_cast<size_t>(pick.index)]);
    }
    // Where the batch stopped, the last panel had reached the pool before the doubt arose.
    if (seen.stopped != kGoing) update_pending_ = false;
    pending_ += seen.made;
    if (pending_ == information_.pending().capacity) {
        information_.consolidate(pending_);
        pending_ = 0;
    }
    return seen.stopped;
}

}  // namespace fisher_select::cuda
