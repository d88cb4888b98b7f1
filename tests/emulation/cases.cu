// SPDX-License-Identifier: Apache-2.0
// Kernels and host code that do wrong on purpose, and right ones beside them: the emulation has
// to tell them apart. The first argument names the case (test_emulation.py knows the answers).
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "cuda/device.h"
#include "cuda/launch.h"
#include "cuda/memory.h"
#include "cuda/reduce.h"

namespace {

using fisher_select::cuda::block_reduce;
using fisher_select::cuda::check;
using fisher_select::cuda::Device;
using fisher_select::cuda::DeviceBuffer;
using fisher_select::cuda::Grid;
using fisher_select::cuda::launch;
using fisher_select::cuda::Plus;

constexpr int kItems = 1000;

__global__ void sum_kernel(const double* values, int count, double* sum) {
    __shared__ double shared[8];
    double mine = 0;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x))
        mine += values[i];
    mine = block_reduce(mine, Plus{}, shared);
    if (threadIdx.x == 0) sum[blockIdx.x] = mine;
}

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

/// Each thread reads what its neighbour wrote; the barrier between is missing if told so.
__global__ void neighbour_kernel(int* out, bool with_barrier) {
    FS_DYNAMIC_SHARED(int, shared);
    const unsigned i = threadIdx.x;
    shared[i] = static_cast<int>(i);
    if (with_barrier) __syncthreads();
    out[i] = shared[(i + 1) % blockDim.x];
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

template <class T>
__global__ void shuffles_kernel(T* out) {  // [6, 32]
    const int lane = static_cast<int>(threadIdx.x);
    const T mine = static_cast<T>(lane);
    T* mine_out = out + lane;
    mine_out[0] = __shfl_sync(0xffffffffu, mine, 5);
    mine_out[32] = __shfl_xor_sync(0xffffffffu, mine, 3);
    mine_out[64] = __shfl_down_sync(0xffffffffu, mine, 2);
    mine_out[96] = __shfl_up_sync(0xffffffffu, mine, 2);
    mine_out[128] = __shfl_down_sync(0xffffffffu, mine, 1, 8);
    mine_out[160] = static_cast<T>(__popc(__ballot_sync(0xffffffffu, lane % 3 == 0))) +
                    static_cast<T>(__any_sync(0xffffffffu, lane == 31)) +
                    static_cast<T>(__all_sync(0xffffffffu, lane < 32));
}

__global__ void count_kernel(unsigned long long* counters) {  // [3]
    atomicAdd(&counters[0], 1);
    atomicMax(&counters[1], blockIdx.x * blockDim.x + threadIdx.x);
    if (__syncthreads_or(threadIdx.x == 3) && __syncthreads_and(1) &&
        __syncthreads_count(threadIdx.x < 7) == 7)
        atomicAdd(&counters[2], 1);
}

__global__ void increment_kernel(int* value) { *value += 1; }

void print(const char* name, double value) { std::printf("%s %.17g\n", name, value); }

// ------------------------------------------------------------------ what has to work
void sum(const Device& device) {
    std::vector<double> values(kItems);
    for (int i = 0; i < kItems; ++i) values[static_cast<size_t>(i)] = i;
    DeviceBuffer<double> in(device, {kItems}, "values", ""), out(device, {3}, "sums", "");
    in.upload(values.data(), kItems);
    launch(device, "add", Grid{3, 256}, sum_kernel, in.data(), kItems, out.data());
    for (double value : out.download()) print("sum", value);
}

template <class T>
void shuffles(const Device& device) {
    DeviceBuffer<T> out(device, {6, 32}, "lanes", "");
    launch(device, "shuffle", Grid{1, 32}, shuffles_kernel<T>, out.data());
    for (T value : out.download()) print("lane", static_cast<double>(value));
}

void counters(const Device& device) {
    DeviceBuffer<unsigned long long> out(device, {3}, "counters", "");
    out.zero();
    launch(device, "count", Grid{5, 96}, count_kernel, out.data());
    for (auto value : out.download()) print("counter", static_cast<double>(value));
}

void graph(const Device& device) {
    DeviceBuffer<int> value(device, {1}, "a number", "");
    value.zero();
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    check(cudaStreamBeginCapture(device.stream(), cudaStreamCaptureModeThreadLocal), "capture");
    launch(device, "increment", Grid{1, 1}, increment_kernel, value.data());
    launch(device, "increment", Grid{1, 1}, increment_kernel, value.data());
    check(cudaStreamEndCapture(device.stream(), &graph), "end a capture");
    check(cudaGraphInstantiate(&executable, graph), "make a graph");
    check(cudaGraphDestroy(graph), "destroy a graph");
    for (int i = 0; i < 5; ++i) check(cudaGraphLaunch(executable, device.stream()), "launch");
    check(cudaGraphExecDestroy(executable), "destroy a graph");
    print("value", value.download()[0]);
}

// ------------------------------------------------------------------ what has to show
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

void neighbour(const Device& device, bool with_barrier) {
    DeviceBuffer<int> out(device, {128}, "values", "");
    launch(device, "shift", Grid{1, 128, 128 * sizeof(int)}, neighbour_kernel, out.data(),
           with_barrier);
    int wrong = 0;
    const std::vector<int> got = out.download();
    for (int i = 0; i < 128; ++i) wrong += got[static_cast<size_t>(i)] != (i + 1) % 128;
    print("wrong", wrong);
}

void after_free(const Device& device) {
    int* freed = nullptr;
    {
        DeviceBuffer<int> value(device, {1}, "a number", "");
        value.zero();
        freed = value.data();
    }
    launch(device, "increment", Grid{1, 1}, increment_kernel, freed);
    device.synchronize();
}

void refused(const Device& device) {
    const auto status = [&](dim3 grid, dim3 block, size_t shared) {
        cudaLaunchConfig_t config{};
        config.gridDim = grid;
        config.blockDim = block;
        config.dynamicSmemBytes = shared;
        config.stream = device.stream();
        print("launch", cudaLaunchKernelEx(&config, divergent_barrier_kernel));
        static_cast<void>(cudaGetLastError());
    };
    status(1, 1025, 0);
    status(0, 32, 0);
    status(dim3(1, 65536), 32, 0);
    status(1, 32, size_t{64} << 10);
    print("more shared memory",
          cudaFuncSetAttribute(divergent_barrier_kernel,
                               cudaFuncAttributeMaxDynamicSharedMemorySize, 64 << 10));
    status(1, 32, size_t{64} << 10);
    print("too much",
          cudaFuncSetAttribute(divergent_barrier_kernel,
                               cudaFuncAttributeMaxDynamicSharedMemorySize, 228 << 10));
    int* huge = nullptr;
    print("memory", cudaMalloc(&huge, size_t{1} << 40));
    print("last", cudaPeekAtLastError());
    const double one = 1;
    print("gemm", cublasDgemm(device.blas(), CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &one, nullptr,
                              3, nullptr, 4, &one, nullptr, 4));
}

using Case = void (*)(const Device&);

const std::map<std::string, Case> kCases = {
    {"sum", sum},
    {"shuffles int", shuffles<int>},
    {"shuffles double", shuffles<double>},
    {"counters", counters},
    {"graph", graph},
    {"stale", stale},
    {"other stream", other_stream},
    {"pinned", pinned},
    {"unwritten", unwritten},
    {"neighbour", [](const Device& device) { neighbour(device, true); }},
    {"neighbour without barrier", [](const Device& device) { neighbour(device, false); }},
    {"refused", refused},
    {"after free", after_free},
    {"divergent barrier",
     [](const Device& device) {
         launch(device, "wait", Grid{2, 64}, divergent_barrier_kernel);
         device.synchronize();
     }},
    {"two barriers",
     [](const Device& device) {
         DeviceBuffer<int> out(device, {64}, "values", "");
         launch(device, "wait", Grid{1, 64}, two_barriers_kernel, out.data());
         device.synchronize();
     }},
    {"partial shuffle",
     [](const Device& device) {
         DeviceBuffer<int> out(device, {32}, "values", "");
         launch(device, "shuffle", Grid{1, 32}, partial_shuffle_kernel, out.data());
         device.synchronize();
     }},
    {"beyond shared",
     [](const Device& device) {
         DeviceBuffer<int> out(device, {64}, "values", "");
         launch(device, "overrun", Grid{1, 64, 64 * sizeof(int)}, beyond_shared_kernel,
                out.data());
         device.synchronize();
     }},
    {"beyond allocation",
     [](const Device& device) {
         DeviceBuffer<int> out(device, {4}, "values", "");
         launch(device, "overrun", Grid{1, 1}, increment_kernel, out.data() + 4);
         device.synchronize();
     }},
    {"host dereference",
     [](const Device& device) {
         DeviceBuffer<int> out(device, {4}, "values", "");
         out.zero();
         device.synchronize();
         print("read", out.data()[0]);
     }},
    {"host argument",
     [](const Device& device) {
         DeviceBuffer<float> out(device, {4}, "values", "");
         const std::vector<float> values(100000);
         launch(device, "read", Grid{1, 32}, view_kernel,
                View{values.data(), static_cast<long>(values.size())}, out.data());
     }},
};

}  // namespace

int main(int, char** arguments) {
    try {
        const Device device(0, nullptr);
        kCases.at(arguments[1])(device);
    } catch (const std::exception& error) {
        std::printf("%s\n", error.what());
        return 2;
    }
    return 0;
}
