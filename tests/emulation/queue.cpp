// SPDX-License-Identifier: Apache-2.0
// See queue.h.
#include "queue.h"

#include <sys/mman.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "arena.h"

struct CUstream_st {
    bool blocking = true;  // waits for the default stream, and that for it
    emulation::WorkNumber last = 0;
    std::optional<std::vector<emulation::Work>> captured;
};

namespace emulation {
namespace {

/// The one thread that kernels run on: shared memory is its thread-local storage.
class DeviceThread {
public:
    DeviceThread() {
        std::thread([this] { serve(); }).detach();
    }

    void run(const Work& work) {
        std::unique_lock lock(mutex_);
        task_ = &work;
        changed_.notify_all();
        changed_.wait(lock, [this] { return task_ == nullptr; });
    }

private:
    void serve() {
        // A fault handler needs a stack of its own: a thread's may be what has run out.
        static unsigned char fault_stack[size_t{64} << 10];
        stack_t stack{};
        stack.ss_sp = fault_stack;
        stack.ss_size = sizeof fault_stack;
        sigaltstack(&stack, nullptr);
        sigset_t all;  // Ctrl-C is for the host's threads
        sigfillset(&all);
        sigdelset(&all, SIGSEGV);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return task_ != nullptr; });
            open_device_memory();
            (*task_)();
            close_device_memory();
            task_ = nullptr;
            changed_.notify_all();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    const Work* task_ = nullptr;
};

struct Pending {
    Work work;
    std::vector<WorkNumber> dependencies;
};

// Never destroyed: the device thread may outlive main().
struct State {
    DeviceThread device;
    CUstream_st default_stream;
    std::set<CUstream_st*> streams;
    std::map<WorkNumber, Pending> pending;
    WorkNumber issued = 0;
};

State& state() {
    static State* const created = new State;
    return *created;
}

bool is_default(CUstream_st* stream) {
    return reinterpret_cast<uintptr_t>(stream) <= 2;  // cudaStreamLegacy 1, PerThread 2
}

CUstream_st& resolve(CUstream_st* stream) {
    return is_default(stream) ? state().default_stream : *stream;
}

void run_pending(const std::set<WorkNumber>& numbers) {
    if (numbers.empty()) return;
    run_now([&numbers] {
        for (WorkNumber number : numbers) {  // in the order of issue
            state().pending.at(number).work();
            state().pending.erase(number);
        }
    });
}

}  // namespace

std::mutex& api_lock() {
    static std::mutex* const lock = new std::mutex;
    return *lock;
}

CUstream_st* create_stream(bool blocking) {
    auto* stream = new CUstream_st;
    stream->blocking = blocking;
    state().streams.insert(stream);
    return stream;
}

void destroy_stream(CUstream_st* stream) {
    state().streams.erase(stream);  // its work stays pending
    delete stream;
}

bool is_stream(CUstream_st* stream) {
    return is_default(stream) || state().streams.contains(stream);
}

WorkNumber enqueue(CUstream_st* stream, Work work,
                   const std::vector<WorkNumber>& dependencies) {
    CUstream_st& target = resolve(stream);
    if (target.captured) {
        target.captured->push_back(std::move(work));
        return 0;
    }
    Pending pending{std::move(work), dependencies};
    pending.dependencies.push_back(target.last);
    if (is_default(stream)) {
        for (CUstream_st* other : state().streams)
            if (other->blocking) pending.dependencies.push_back(other->last);
    } else if (target.blocking) {
        pending.dependencies.push_back(state().default_stream.last);
    }
    target.last = ++state().issued;
    state().pending.emplace(target.last, std::move(pending));
    return target.last;
}

WorkNumber last_of(CUstream_st* stream) { return resolve(stream).last; }

bool is_done(WorkNumber number) { return !state().pending.contains(number); }

void finish(WorkNumber number) {
    std::set<WorkNumber> needed;
    std::vector<WorkNumber> open = {number};
    while (!open.empty()) {
        const auto found = state().pending.find(open.back());
        open.pop_back();
        if (found == state().pending.end() || !needed.insert(found->first).second) continue;
        const auto& dependencies = found->second.dependencies;
        open.insert(open.end(), dependencies.begin(), dependencies.end());
    }
    run_pending(needed);
}

void finish_all() {
    std::set<WorkNumber> all;
    for (const auto& [number, pending] : state().pending) all.insert(number);
    run_pending(all);
}

void advance() {
    // Work depends on what was issued before, so the oldest waits for nothing.
    if (!state().pending.empty()) run_pending({state().pending.begin()->first});
}

void run_now(const Work& work) { state().device.run(work); }

bool begin_capture(CUstream_st* stream) {
    if (is_default(stream) || stream->captured) return false;
    stream->captured.emplace();
    return true;
}

bool end_capture(CUstream_st* stream, std::vector<Work>& captured) {
    if (!is_capturing(stream)) return false;
    captured = std::move(*stream->captured);
    stream->captured.reset();
    return true;
}

bool is_capturing(CUstream_st* stream) { return resolve(stream).captured.has_value(); }

bool is_any_capturing() {
    return std::any_of(state().streams.begin(), state().streams.end(), is_capturing);
}

}  // namespace emulation
