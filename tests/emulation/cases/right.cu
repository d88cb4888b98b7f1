// SPDX-License-Identifier: Apache-2.0
// Cases that have to work, and calls that have to be refused.
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <vector>

#include "cases.h"

namespace cases {
namespace {

constexpr int kItems = 1000;

__global__ void sum_kernel(const double* values, int count, double* sum) {
    __shared__ double shared[8];
    double mine = 0;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x))
        mine += values[i];
    mine = block_reduce(mine, Plus{}, shared);
    if (threadIdx.x == 0) sum[blockIdx.x] = mine;
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

__global__ void empty_kernel() {}

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

void refused(const Device& device) {
    const void* kernel = reinterpret_cast<const void*>(&empty_kernel);
    const auto ask = [&](const char* name, dim3 grid, dim3 block, size_t shared) {
        cudaLaunchConfig_t config{};
        config.gridDim = grid;
        config.blockDim = block;
        config.dynamicSmemBytes = shared;
        config.stream = device.stream();
        print(name, cudaLaunchKernelEx(&config, empty_kernel));
        static_cast<void>(cudaGetLastError());
    };
    const auto allow_shared = [&](const char* name, int bytes) {
        print(name,
              cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
    };
    ask("threads", 1, 1025, 0);
    ask("no blocks", 0, 32, 0);
    ask("grid", dim3(1, 65536), 32, 0);
    ask("shared memory", 1, 32, 64 << 10);
    allow_shared("asked for", 64 << 10);
    ask("then", 1, 32, 64 << 10);
    allow_shared("too much", 228 << 10);
    int* huge = nullptr;
    print("memory", cudaMalloc(&huge, size_t{1} << 40));
    print("last", cudaPeekAtLastError());
    const double one = 1;
    print("leading dimension", cublasDgemm(device.blas(), CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4,
                                           &one, nullptr, 3, nullptr, 4, &one, nullptr, 4));
}

}  // namespace

Cases right_cases() {
    return {{"sum", sum},
            {"shuffles int", shuffles<int>},
            {"shuffles double", shuffles<double>},
            {"counters", counters},
            {"graph", graph},
            {"refused", refused}};
}

}  // namespace cases
