// SPDX-License-Identifier: Apache-2.0
// Kernels and host code that do wrong on purpose: the emulation has to show it.
#include <cuda_runtime.h>

#include <string>
#include <vector>

#include "cases.h"

namespace cases {
namespace {

__global__ void divergent_barrier_kernel() {
    if (threadIdx.x < 40) __syncthreads();
}

__global__ void two_barriers_kernel(int* out) {
    if (threadIdx.x < 32)
        __syncthreads();
    else
        out[threadIdx.x] = __syncthreads_count(1);
}

__global__ void partial_shuffle_kernel(int* out) {
    if (threadIdx.x % 2 == 0) out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1, 1);
}

/// Each thread reads what the thread `step` further on wrote, the last ones their own; the
/// barrier between is missing if told so.
__global__ void neighbour_kernel(int* out, int step, bool with_barrier) {
    FS_DYNAMIC_SHARED(int, shared);
    const int i = static_cast<int>(threadIdx.x), other = i + step;
    shared[i] = i;
    if (with_barrier) __syncthreads();
    out[i] = shared[other >= 0 && other < static_cast<int>(blockDim.x) ? other : i];
}

__global__ void unwritten_kernel(float* out) {
    __shared__ float shared[64];
    if (blockIdx.x == 0) shared[threadIdx.x] = 1.0f;
    __syncthreads();
    out[blockIdx.x * blockDim.x + threadIdx.x] = shared[threadIdx.x];
}

__global__ void beyond_shared_kernel(int* out) {
    FS_DYNAMIC_SHARED(int, shared);
    shared[threadIdx.x] = 1;
    out[threadIdx.x] = shared[threadIdx.x + 64];
}

struct View {
    const float* data;
    long rows;
};
__global__ void view_kernel(View view, float* out) {
    if (threadIdx.x == 0 && view.rows > 0) out[0] = view.data[0];
}

__global__ void increment_kernel(int* value) { *value += 1; }

// ------------------------------------------------------------------ what shows in values
void stale(const Device& device) {
    DeviceBuffer<int> value(device, {1}, "a number", "");
    value.zero();
    int before = -7;
    check(cudaMemcpyAsync(&before, value.data(), sizeof before, cudaMemcpyDeviceToHost,
                          device.stream()),
          "copy");
    const int early = before;
    device.synchronize();
    print("early", early);
    print("late", before);
}

void other_stream(const Device& device) {
    DeviceBuffer<int> value(device, {1}, "a number", "");
    value.zero();
    device.synchronize();
    launch(device, "increment", Grid{1, 1}, increment_kernel, value.data());
    const Device second(0, nullptr);
    int read = 0;
    cudaEvent_t done = nullptr;
    check(cudaEventCreateWithFlags(&done, cudaEventDisableTiming), "create an event");
    check(cudaEventRecord(done, device.stream()), "record an event");
    for (const char* name : {"unordered", "ordered"}) {
        check(cudaMemcpyAsync(&read, value.data(), sizeof read, cudaMemcpyDeviceToHost,
                              second.stream()),
              "copy");
        second.synchronize();
        print(name, read);
        check(cudaStreamWaitEvent(second.stream(), done), "wait");
    }
    check(cudaEventDestroy(done), "destroy an event");
}

void pinned(const Device& device) {
    DeviceBuffer<int> value(device, {2}, "numbers", "");
    int pageable = 1, *locked = nullptr;
    check(cudaMallocHost(&locked, sizeof(int)), "lock pages");
    *locked = 1;
    const auto up = [&](int* to, const int* from) {
        check(cudaMemcpyAsync(to, from, sizeof(int), cudaMemcpyHostToDevice, device.stream()),
              "copy");
    };
    up(value.data(), &pageable);
    up(value.data() + 1, locked);
    pageable = *locked = 2;
    for (int got : value.download()) print("got", got);
    check(cudaFreeHost(locked), "unlock pages");
}

void unwritten(const Device& device) {
    DeviceBuffer<float> out(device, {128}, "values", ""), never(device, {1}, "a value", "");
    launch(device, "read", Grid{2, 64}, unwritten_kernel, out.data());
    print("own", out.download()[0]);
    print("other block's", out.download()[127]);
    print("never", never.download()[0]);
}

template <int kStep, bool kWithBarrier>
void neighbour(const Device& device) {
    constexpr int kThreads = 128;
    DeviceBuffer<int> out(device, {kThreads}, "values", "");
    launch(device, "shift", Grid{1, kThreads, kThreads * sizeof(int)}, neighbour_kernel,
           out.data(), kStep, kWithBarrier);
    int wrong = 0;
    const std::vector<int> got = out.download();
    for (int i = 0; i < kThreads; ++i) {
        const int other = i + kStep;
        wrong += got[static_cast<size_t>(i)] != (other >= 0 && other < kThreads ? other : i);
    }
    print("wrong", wrong);
}

// ------------------------------------------------------------------ what ends the process
void after_free(const Device& device) {
    int* freed = nullptr;
    {
        DeviceBuffer<int> value(device, {1}, "a number", "");
        freed = value.data();
    }
    launch(device, "increment", Grid{1, 1}, increment_kernel, freed);
    device.synchronize();
}

void beyond_allocation(const Device& device) {
    DeviceBuffer<int> values(device, {4}, "values", "");
    launch(device, "overrun", Grid{1, 1}, increment_kernel, values.data() + 4);
    device.synchronize();
}

void divergent_barrier(const Device& device) {
    launch(device, "wait", Grid{2, 64}, divergent_barrier_kernel);
    device.synchronize();
}

template <void (*kKernel)(int*)>
void run_64(const Device& device) {
    DeviceBuffer<int> out(device, {64}, "values", "");
    launch(device, "run", Grid{1, 64, 64 * sizeof(int)}, kKernel, out.data());
    device.synchronize();
}

void host_dereference(const Device& device) {
    DeviceBuffer<int> values(device, {4}, "values", "");
    values.zero();
    device.synchronize();
    print("read", values.data()[0]);
}

void host_argument(const Device& device) {
    DeviceBuffer<float> out(device, {4}, "values", "");
    const std::vector<float> values(100000);
    launch(device, "read", Grid{1, 32}, view_kernel,
           View{values.data(), static_cast<long>(values.size())}, out.data());
}

}  // namespace

Cases wrong_cases() {
    return {{"stale", stale},
            {"other stream", other_stream},
            {"pinned", pinned},
            {"unwritten", unwritten},
            {"neighbour", neighbour<1, true>},
            {"neighbour without barrier", neighbour<1, false>},
            {"predecessor without barrier", neighbour<-1, false>},
            {"after free", after_free},
            {"beyond allocation", beyond_allocation},
            {"divergent barrier", divergent_barrier},
            {"two barriers", run_64<two_barriers_kernel>},
            {"partial shuffle", run_64<partial_shuffle_kernel>},
            {"beyond shared", run_64<beyond_shared_kernel>},
            {"host dereference", host_dereference},
            {"host argument", host_argument}};
}

}  // namespace cases
