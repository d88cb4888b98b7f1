// SPDX-License-Identifier: Apache-2.0
// See block.h. A warp runs until all its lanes wait for other warps, then the next one: warps
// drift as far apart as the barriers let them, so a missing barrier shows.
#include "block.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <span>
#include <vector>

#include "cuda_runtime.h"
#include "fiber.h"
#include "module.h"
#include "order.h"
#include "shared_memory.h"

namespace emulation {
namespace {

constexpr int kLanes = 32;

/// Literals of several files: mostly one address, always one text.
bool is_same(const char* a, const char* b) { return a == b || std::strcmp(a, b) == 0; }

enum class State { ready, at_barrier, in_warp, ended };

struct Thread {
    Fiber fiber;
    uint3 index{};
    State state = State::ended;
    // Where it waits: what for, and what it brings and takes away.
    const char* name = "";
    std::source_location where;
    unsigned mask = 0;
    int source = 0;
    uint64_t value = 0, result = 0;

    bool waits_like(const Thread& other) const {
        return state == other.state && mask == other.mask && is_same(name, other.name) &&
               where.line() == other.where.line() &&
               is_same(where.file_name(), other.where.file_name());
    }
    std::string place() const {
        if (state == State::ended) return "have ended";
        std::string text = std::string("wait at ") + name;
        if (state == State::in_warp) {
            char mask_text[24];
            std::snprintf(mask_text, sizeof mask_text, " of lanes 0x%08x", mask);
            text += mask_text;
        }
        return text + " (" + where.file_name() + ":" + std::to_string(where.line()) + ")";
    }
};

std::array<Thread, 1024> threads;
int thread_count = 0, current = -1;
const Launch* running = nullptr;

std::string triple(unsigned x, unsigned y, unsigned z) {
    char text[48];
    std::snprintf(text, sizeof text, "(%u, %u, %u)", x, y, z);
    return text;
}

// ------------------------------------------------------------------ inside a thread
uint64_t wait(State state, const char* name, unsigned mask, int source, uint64_t value,
              const std::source_location& where) {
    Thread& thread = threads[static_cast<size_t>(current)];
    thread.name = name;
    thread.where = where;
    thread.mask = mask;
    thread.source = source;
    thread.value = value;
    thread.state = state;
    Fiber::pause();
    return thread.result;
}

uint64_t wait_in_warp(const char* name, unsigned mask, int source, uint64_t value,
                      const std::source_location& where) {
    if ((mask >> current_lane() & 1) == 0)
        fatal(std::string(name) + ": the calling lane is not in its mask (" +
              where.file_name() + ":" + std::to_string(where.line()) + ")");
    return wait(State::in_warp, name, mask, source, value, where);
}

// ------------------------------------------------------------------ the scheduler
void run_thread(int number) {
    Thread& thread = threads[static_cast<size_t>(number)];
    current = number;
    threadIdx = thread.index;
    thread.fiber.resume();
    if (thread.fiber.ended()) thread.state = State::ended;
    current = -1;
}

/// The lanes of one warp.
struct Warp {
    int first;

    Thread& operator[](int lane) const { return threads[static_cast<size_t>(first + lane)]; }
    int lanes() const { return std::min(kLanes, thread_count - first); }
    bool live(int lane) const { return lane < lanes() && (*this)[lane].state != State::ended; }

    /// The lanes that `leader` waits for, if all of them have come; 0 otherwise.
    unsigned meeting(const Thread& leader) const {
        unsigned members = 0;
        for (int lane = 0; lane < kLanes; ++lane) {
            if ((leader.mask >> lane & 1) == 0 || !live(lane)) continue;
            if (!(*this)[lane].waits_like(leader)) return 0;
            members |= 1u << lane;
        }
        return members;
    }

    void finish(unsigned members) const {
        uint64_t votes = 0;
        for (int lane = 0; lane < kLanes; ++lane)
            if (members >> lane & 1) votes |= ((*this)[lane].value & 1) << lane;
        for (int lane = 0; lane < kLanes; ++lane) {
            if ((members >> lane & 1) == 0) continue;
            Thread& thread = (*this)[lane];
            thread.result = votes;
            if (thread.source < 0) continue;
            if ((members >> thread.source & 1) == 0) {
                current = first + lane;
                fatal("reads from lane " + std::to_string(thread.source) +
                      ", which is not in the mask, has ended or is not there: threads " +
                      thread.place());
            }
            thread.result = (*this)[thread.source].value;
        }
        for (int lane = 0; lane < kLanes; ++lane)
            if (members >> lane & 1) (*this)[lane].state = State::ready;
    }

    /// Ends every shuffle and vote whose lanes have all come; tells whether there was one.
    bool release() const {
        bool released = false;
        for (int lane = 0; lane < lanes(); ++lane) {
            if ((*this)[lane].state != State::in_warp) continue;
            const unsigned members = meeting((*this)[lane]);
            if (members != 0) finish(members);
            released |= members != 0;
        }
        return released;
    }

    /// Until every lane has ended or waits for another warp.
    void run(Order& order) const {
        std::array<int, kLanes> lane_order{};
        const std::span<int> sequence(lane_order.data(), static_cast<size_t>(lanes()));
        order.arrange(sequence);
        do {
            for (int lane : sequence)
                if ((*this)[lane].state == State::ready) run_thread(first + lane);
        } while (release());
    }
};

/// Ends the block barrier, which all threads must have reached.
void release_barrier() {
    uint64_t holds = 0;
    bool together = true;
    for (int i = 0; i < thread_count; ++i) {
        const Thread& thread = threads[static_cast<size_t>(i)];
        together &= thread.state == State::at_barrier && thread.waits_like(threads[0]);
        holds += thread.value;
    }
    if (!together) {
        std::map<std::string, int> tally;
        for (int i = 0; i < thread_count; ++i) ++tally[threads[static_cast<size_t>(i)].place()];
        std::string text = "a barrier that not all threads reach:";
        for (const auto& [place, count] : tally)
            text += "\n    " + std::to_string(count) + " threads " + place;
        fatal(text);
    }
    for (int i = 0; i < thread_count; ++i) {
        threads[static_cast<size_t>(i)].result = holds;
        threads[static_cast<size_t>(i)].state = State::ready;
    }
}

bool all_ended() {
    return std::all_of(threads.begin(), threads.begin() + thread_count,
                       [](const Thread& thread) { return thread.state == State::ended; });
}

void run_block(Order& order) {
    for (int i = 0; i < thread_count; ++i) {
        Thread& thread = threads[static_cast<size_t>(i)];
        const unsigned number = static_cast<unsigned>(i);
        thread.index = {number % blockDim.x, number / blockDim.x % blockDim.y,
                        number / blockDim.x / blockDim.y};
        thread.state = State::ready;
        thread.fiber.start([](void*) { running->body(); }, nullptr);
    }
    std::vector<int> warps(static_cast<size_t>((thread_count + kLanes - 1) / kLanes));
    for (;;) {
        order.arrange(std::span<int>(warps));
        for (int warp : warps) Warp{warp * kLanes}.run(order);
        if (all_ended()) return;
        release_barrier();
    }
}

}  // namespace

int block_barrier(const char* name, bool predicate, const std::source_location& where) {
    return static_cast<int>(wait(State::at_barrier, name, 0, -1, predicate ? 1 : 0, where));
}

unsigned vote(const char* name, unsigned mask, bool predicate,
              const std::source_location& where) {
    return static_cast<unsigned>(wait_in_warp(name, mask, -1, predicate ? 1 : 0, where));
}

uint64_t exchange(const char* name, unsigned mask, int source, uint64_t value,
                  const std::source_location& where) {
    return wait_in_warp(name, mask, source, value, where);
}

int current_lane() { return current % kLanes; }

void run_grid(const Launch& launch) {
    running = &launch;
    thread_count = static_cast<int>(launch.block.count());
    gridDim = dim3(launch.grid.x, launch.grid.y, launch.grid.z);
    blockDim = dim3(launch.block.x, launch.block.y, launch.block.z);
    Order order = Order::from_environment();
    std::vector<int64_t> blocks(static_cast<size_t>(launch.grid.count()));
    order.arrange(std::span<int64_t>(blocks));
    for (int64_t block : blocks) {
        blockIdx = {static_cast<unsigned>(block % gridDim.x),
                    static_cast<unsigned>(block / gridDim.x % gridDim.y),
                    static_cast<unsigned>(block / gridDim.x / gridDim.y)};
        spoil_shared_memory(launch.shared_bytes);
        run_block(order);
    }
    running = nullptr;
}

std::string describe_running() {
    if (running == nullptr) return {};
    std::string text = "kernel " + symbol_name(running->kernel) + ", block " +
                       triple(blockIdx.x, blockIdx.y, blockIdx.z);
    if (current >= 0) text += ", thread " + triple(threadIdx.x, threadIdx.y, threadIdx.z);
    return text;
}

void fatal(const std::string& message) {
    const std::string place = describe_running();
    std::fprintf(stderr, "CUDA emulation: %s%s%s\n", place.c_str(), place.empty() ? "" : ": ",
                 message.c_str());
    std::fflush(stderr);
    std::abort();
}

}  // namespace emulation
