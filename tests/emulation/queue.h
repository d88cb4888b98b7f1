// SPDX-License-Identifier: Apache-2.0
// Work in streams. Nothing runs before the host waits for it, and then only what has to: other
// streams lag as far behind as their dependencies allow, so a missing wait shows.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

struct CUstream_st;
struct CUgraph_st;

namespace emulation {

using Work = std::function<void()>;
using WorkNumber = uint64_t;  // 0: none

/// Every call of the API holds it: the host's threads take turns.
std::mutex& api_lock();

CUstream_st* create_stream(bool blocking);
void destroy_stream(CUstream_st* stream);
/// The default stream always lives: nullptr, and by its names cudaStreamLegacy and
/// cudaStreamPerThread.
bool is_stream(CUstream_st* stream);

/// Appends to the stream, or to the graph that is captured from it (then 0 is returned).
WorkNumber enqueue(CUstream_st* stream, Work work,
                   const std::vector<WorkNumber>& dependencies = {});
/// What was last given to the stream.
WorkNumber last_of(CUstream_st* stream);

bool is_done(WorkNumber number);
/// Runs this piece of work and all it depends on, and nothing else.
void finish(WorkNumber number);
void finish_all();
/// Runs the next piece of work, if there is one: a host that polls sees progress.
void advance();
/// Runs `work` on the device at once.
void run_now(const Work& work);

// ------------------------------------------------------------------ graphs
bool begin_capture(CUstream_st* stream);
/// The work since begin_capture; false if the stream does not capture.
bool end_capture(CUstream_st* stream, std::vector<Work>& captured);
bool is_capturing(CUstream_st* stream);
bool is_any_capturing();

}  // namespace emulation
