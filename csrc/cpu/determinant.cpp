// SPDX-License-Identifier: Apache-2.0
// Greedy selection by log det M, forward only: select_by_log_det (ops.h), in its two forms.
#include <algorithm>
#include <utility>

#include "error.h"
#include "information_engine.h"
#include "information_stages.h"
#include "lazy_maximum.h"
#include "ops.h"
#include "parallel.h"
#include "pivoted_cholesky.h"
#include "stopwatch.h"

namespace fisher_select::cpu {
namespace {

/// What a form takes at the most: multiplications, and doubles held.
struct Cost {
    double work, values;
};

Cost kernel_cost(const LogDetProblem& problem) {
    const Factors& f = problem.factors;
    const double n = static_cast<double>(f.count()),
                 members = static_cast<double>(problem.labeled.count + problem.batch_size);
    return {n * members * (static_cast<double>(f.length() + f.classes) + members / 2),
            kernel_values(f, problem.labeled.count, problem.batch_size)};
}

/// M, its inverse and what is between them; then G of every candidate, and the picks.
Cost matrix_cost(const LogDetProblem& problem) {
    const Factors& f = problem.factors;
    const double side = static_cast<double>(f.block()), n = static_cast<double>(f.count()),
                 picks = static_cast<double>(problem.batch_size),
                 members = static_cast<double>(problem.labeled.count) / 2 + picks,
                 pair = static_cast<double>(f.length()) * (f.classes + 1) / 2;
    return {side * (side * (side + members) + n * (pair + picks)), 3 * side * side};
}

/// The cheaper one, unless it would hold more than a gigabyte and the other one less.
bool kernel_form_pays(const LogDetProblem& problem) {
    constexpr double kAmple = (1 << 30) / sizeof(double);
    const Cost kernel = kernel_cost(problem), matrix = matrix_cost(problem);
    const bool cheaper = kernel.work < matrix.work, smaller = kernel.values < matrix.values;
    const double wanted = cheaper ? kernel.values : matrix.values;
    return wanted > kAmple ? smaller : cheaper;
}

bool in_kernel_form(const LogDetProblem& problem) {
    const bool possible = problem.factors.link == Link::vector && problem.shard == nullptr;
    if (problem.form == LogDetForm::kernel && !possible)
        throw InputError("form: the kernel form is for kind 'gradient' alone");
    if (problem.form == LogDetForm::automatic) return possible && kernel_form_pays(problem);
    return problem.form == LogDetForm::kernel;
}

LogDetResult select_in_kernel_form(const Context& context, const LogDetProblem& problem) {
    const Factors& factors = problem.factors;
    const int64_t n = factors.count(), labeled = problem.labeled.count;
    LogDetResult result;
    result.kernel_form = true;
    Stopwatch watch(result.seconds);
    const double blind = factors.blind_log_det(problem.lam);

    context.progress("setup", 0, 1);
    PivotedCholesky kernel(context, factors, problem.labeled, problem.batch_size, problem.lam,
                           problem.instruction_set);
    Buffer<double> keys({n}, "the pool's keys", "select from a part of the pool");
    for (int64_t i = 0; i < n; ++i) keys[i] = kernel.residual(i);
    for (int64_t i = 0; i < labeled; ++i) keys[problem.labeled[i]] = kExcluded;
    LazyMaximum residuals(context, std::move(keys));
    watch.lap("setup");

    const auto evaluate = [&](int64_t row, double enough, int thread) {
        return kernel.evaluate(row, enough, thread);
    };
    const auto fresh = [&](int64_t row) { return kernel.fresh(row); };
    constexpr int64_t kEnough = 1 << 22;  // multiplications a pick: worth waking the threads
    int64_t before = 0;
    for (int64_t done = 0; done < problem.batch_size; ++done) {
        context.poll();
        context.progress("forward", done, problem.batch_size);
        const int64_t entries = kernel.entries();
        const bool heavy =
            (entries - before) * (factors.length() + factors.classes + labeled + done) >
            kEnough;
        before = entries;
        const int64_t row = residuals.find(evaluate, fresh, heavy && context.threads > 1);
        result.indices.push_back(row);
        result.scores.push_back(kernel.gain(residuals.key(row)));
        residuals.remove(row);
        kernel.add(row);
        result.objective.push_back(kernel.log_det() + blind);
    }
    context.progress("forward", problem.batch_size, problem.batch_size);
    result.entries = kernel.entries();
    watch.lap("forward");
    return result;
}

}  // namespace

LogDetResult select_by_log_det(const Context& caller, const LogDetProblem& problem) {
    const bool kernel = in_kernel_form(problem);
    Context context = caller;
    context.threads =
        useful_threads(caller.threads, kernel ? kernel_cost(problem).work /
                                                    static_cast<double>(problem.batch_size)
                                              : problem.factors.pick_cost(Criterion::log_det));
    if (kernel) return select_in_kernel_form(context, problem);
    InformationEngine engine(context, problem, problem.batch_size);
    return log_det_stage(context, problem, engine);
}

}  // namespace fisher_select::cpu
