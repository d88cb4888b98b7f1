// SPDX-License-Identifier: Apache-2.0
// The stages of a selection by information, once for every backend: forward-backward greedy by
// tr(M^-1 F), forward greedy by log det M (DESIGN section 2).
//
// What an Engine offers:
//   Information information(double lam, PoolFisher)   add_labeled(rows, coefficient),
//                                                     refresh(step)
//   Stage stage(Information&, const StageProblem&)    GreedyResult run(), path(), settle()
//   what prefilter.h wants
//   void finish()                                     waits for what was asked
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "context.h"
#include "information_options.h"
#include "ops.h"
#include "prefilter.h"
#include "stopwatch.h"

namespace fisher_select {

/// Runs a stage; its path, with what the objective is blind to, and its drift are booked.
template <class Stage>
GreedyResult run_stage(Stage& stage, double blind, InformationResult& result) {
    GreedyResult found = stage.run();
    result.refreshes += found.refreshes;
    result.max_drift = std::max(result.max_drift, found.max_drift);
    for (double value : stage.path()) result.objective.push_back(value + blind);
    return found;
}

template <class Engine>
InformationResult trace_stages(const Context& context, const TraceProblem& problem,
                               Engine& engine) {
    const Factors& factors = problem.factors;
    const int64_t n = factors.count();
    InformationResult result;
    Stopwatch watch(result.seconds);
    const auto lap = [&](const char* stage) {
        engine.finish();
        watch.lap(stage);
    };
    PoolOptions pool;
    pool.scale = problem.scale;
    pool.chunk_rows = problem.chunk_rows;
    PoolOptions searched = pool;
    searched.search = problem.search;
    searched.search.picks = problem.forward_count;
    const double blind = problem.use_pool_fisher ? 0.0 : factors.blind_trace(problem.lam);

    context.progress("fisher", 0, 1);
    auto information = engine.information(
        problem.lam, problem.use_pool_fisher ? PoolFisher::mean : PoolFisher::identity);
    if (problem.labeled_count() > 0)
        information.add_labeled(problem.labeled,
                                problem.shrink / static_cast<double>(problem.labeled_count()));
    lap("fisher");

    std::vector<int64_t>& forward = result.forward_indices;
    std::vector<double> gains;
    {
        context.progress("setup", 0, 1);
        information.refresh(0);
        std::vector<int64_t> kept;
        RowList rows{nullptr, n};
        std::vector<char> taken;
        if (problem.candidates > 0) {
            kept = leading_rows(context, problem, engine, information, pool);
            rows = {kept.data(), static_cast<int64_t>(kept.size())};
            taken.assign(kept.size(), 0);
            lap("prefilter");
        } else {
            taken = mask(n, problem.labeled);
        }
        auto stage = engine.stage(information, {rows,
                                                std::move(taken),
                                                Direction::add,
                                                Precision::float32,
                                                searched,
                                                {"forward", problem.forward_count}});
        lap("setup");
        GreedyResult found = run_stage(stage, blind, result);
        forward = std::move(found.picks);
        if (!kept.empty())
            for (int64_t& i : forward) i = kept[static_cast<size_t>(i)];
        gains = std::move(found.scores);
        result.search_share = found.search_share;
        stage.settle();
        lap("forward");
    }

    std::vector<char> removed(forward.size(), 0);
    if (problem.forward_count > problem.batch_size) {
        information.refresh(problem.forward_count);
        // The picks of a sharded pool lie together, in order.
        const RowList rows{problem.shard ? nullptr : forward.data(),
                           static_cast<int64_t>(forward.size())};
        const GreedyOptions greedy{"backward", problem.forward_count - problem.batch_size,
                                   problem.forward_count};
        auto stage = engine.stage(
            information, {rows, removed, Direction::remove, Precision::float64, pool, greedy});
        for (int64_t i : run_stage(stage, blind, result).picks)
            removed[static_cast<size_t>(i)] = 1;
        lap("backward");
    }
    for (size_t i = 0; i < forward.size(); ++i)
        if (!removed[i]) {
            result.indices.push_back(forward[i]);
            result.scores.push_back(gains[i]);
        }
    return result;
}

template <class Engine>
LogDetResult log_det_stage(const Context& context, const LogDetProblem& problem,
                           Engine& engine) {
    const Factors& factors = problem.factors;
    const int64_t n = factors.count();
    LogDetResult result;
    Stopwatch watch(result.seconds);
    PoolOptions pool;
    pool.criterion = Criterion::log_det;
    pool.chunk_rows = problem.chunk_rows;

    context.progress("setup", 0, 1);
    auto information = engine.information(problem.lam, PoolFisher::none);
    information.add_labeled(problem.labeled, 1.0);
    information.refresh(0);
    auto stage = engine.stage(information, {{nullptr, n},
                                            mask(n, problem.labeled),
                                            Direction::add,
                                            Precision::float32,
                                            pool,
                                            {"forward", problem.batch_size}});
    engine.finish();
    watch.lap("setup");

    GreedyResult found = run_stage(stage, factors.blind_log_det(problem.lam), result);
    result.indices = std::move(found.picks);
    result.scores = std::move(found.scores);
    watch.lap("forward");
    return result;
}

}  // namespace fisher_select
