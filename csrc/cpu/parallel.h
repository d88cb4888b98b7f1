// SPDX-License-Identifier: Apache-2.0
// One parallel loop for the whole core: tasks handed out in order, exceptions carried to the
// caller, Ctrl-C polled by the caller's thread. Each task must own what it writes, so results
// do not depend on the number of threads.
#pragma once

#include <omp.h>

#include <atomic>
#include <cstdint>
#include <exception>

#include "context.h"

namespace fisher_select::cpu {

/// Threads worth waking for a loop of so many multiplications: a fork and a join cost as much
/// as some 10^5 of them, and far more where other processes want the cores.
inline int useful_threads(int threads, double multiplications) {
    constexpr double kWorthAThread = 3e5;
    const double useful = multiplications / kWorthAThread;
    return useful >= threads ? threads : useful > 1.0 ? static_cast<int>(useful) : 1;
}

/// Calls body(task, thread) for task in [0, tasks). BLAS must be limited to one thread by the
/// caller: a BLAS with threads of its own beside this loop is many times slower.
template <class Body>
void parallel_for(const Context& context, int64_t tasks, const Body& body) {
    std::atomic<int64_t> next{0};
    std::atomic<bool> stop{false};
    std::exception_ptr failure;

    const auto work = [&](int thread) {
        while (!stop.load(std::memory_order_relaxed)) {
            const int64_t task = next.fetch_add(1, std::memory_order_relaxed);
            if (task >= tasks) return;
            try {
                body(task, thread);
                if (thread == 0) context.poll();
            } catch (...) {
#pragma omp critical(fisher_select_failure)
                if (!failure) failure = std::current_exception();
                stop.store(true, std::memory_order_relaxed);
            }
        }
    };

    if (context.threads == 1 || tasks <= 1) {
        work(0);
    } else {
#pragma omp parallel num_threads(context.threads)
        work(omp_get_thread_num());
    }
    if (failure) std::rethrow_exception(failure);
}

}  // namespace fisher_select::cpu
