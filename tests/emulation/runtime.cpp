// SPDX-License-Identifier: Apache-2.0
// Devices, streams, events, graphs and errors of the runtime API.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "arena.h"
#include "cuda_runtime.h"
#include "last_error.h"
#include "queue.h"
#include "shared_memory.h"

using Clock = std::chrono::steady_clock;
using Lock = std::lock_guard<std::mutex>;

struct CUevent_st {
    emulation::WorkNumber recorded = 0;
    std::shared_ptr<Clock::time_point> time = std::make_shared<Clock::time_point>();
};
struct CUgraph_st {
    std::vector<emulation::Work> work;
};
struct CUgraphExec_st {
    std::vector<emulation::Work> work;
};

namespace emulation {
namespace {

constexpr int kVersion = 13000;
// Few, so that a grid made to fill the device stays small; odd, to meet uneven shares.
constexpr int kMultiprocessors = 5;

std::atomic<cudaError_t> last_error = cudaSuccess;
thread_local int current_device = 0;

/// FS_EMULATION_DEVICES, 1 unless set.
int device_count() {
    const char* text = std::getenv("FS_EMULATION_DEVICES");
    return text == nullptr ? 1 : std::atoi(text);
}

struct ErrorText {
    const char *name, *text;
};
ErrorText describe(cudaError_t error) {
    switch (error) {
        case cudaSuccess: return {"cudaSuccess", "no error"};
        case cudaErrorInvalidValue: return {"cudaErrorInvalidValue", "invalid argument"};
        case cudaErrorMemoryAllocation: return {"cudaErrorMemoryAllocation", "out of memory"};
        case cudaErrorInvalidConfiguration:
            return {"cudaErrorInvalidConfiguration", "invalid configuration argument"};
        case cudaErrorInvalidPitchValue:
            return {"cudaErrorInvalidPitchValue", "invalid pitch argument"};
        case cudaErrorInvalidMemcpyDirection:
            return {"cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"};
        case cudaErrorInsufficientDriver:
            return {"cudaErrorInsufficientDriver",
                    "CUDA driver version is insufficient for CUDA runtime version"};
        case cudaErrorNoDevice:
            return {"cudaErrorNoDevice", "no CUDA-capable device is detected"};
        case cudaErrorInvalidDevice:
            return {"cudaErrorInvalidDevice", "invalid device ordinal"};
        case cudaErrorInvalidResourceHandle:
            return {"cudaErrorInvalidResourceHandle", "invalid resource handle"};
        case cudaErrorNotReady: return {"cudaErrorNotReady", "device not ready"};
        case cudaErrorStreamCaptureUnsupported:
            return {"cudaErrorStreamCaptureUnsupported",
                    "operation not permitted when stream is capturing"};
        case cudaErrorUnknown: break;
    }
    return {"cudaErrorUnknown", "unknown error"};
}

cudaError_t wait_for(WorkNumber number) {
    finish(number);
    return cudaSuccess;
}

cudaError_t poll(WorkNumber number) {
    if (!is_done(number)) advance();
    return is_done(number) ? cudaSuccess : cudaErrorNotReady;
}

}  // namespace

cudaError_t remember(cudaError_t error) {
    if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
    return error;
}

}  // namespace emulation

using emulation::remember;

const char* cudaGetErrorString(cudaError_t error) { return emulation::describe(error).text; }
const char* cudaGetErrorName(cudaError_t error) { return emulation::describe(error).name; }
cudaError_t cudaGetLastError() { return emulation::last_error.exchange(cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return emulation::last_error; }

// ------------------------------------------------------------------ devices
cudaError_t cudaGetDeviceCount(int* count) {
    *count = emulation::device_count();
    return remember(*count > 0 ? cudaSuccess : cudaErrorNoDevice);
}
cudaError_t cudaGetDevice(int* device) {
    *device = emulation::current_device;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
    if (device < 0 || device >= emulation::device_count())
        return remember(cudaErrorInvalidDevice);
    emulation::current_device = device;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    if (device < 0 || device >= emulation::device_count())
        return remember(cudaErrorInvalidDevice);
    *properties = {};
    std::snprintf(properties->name, sizeof properties->name, "CPU emulation %d", device);
    properties->totalGlobalMem = emulation::device_memory_total();
    properties->sharedMemPerBlock = emulation::kSharedMemoryDefault;
    properties->sharedMemPerBlockOptin = emulation::kSharedMemoryOptIn;
    properties->sharedMemPerMultiprocessor = emulation::kSharedMemoryOptIn + 1024;
    properties->warpSize = warpSize;
    properties->maxThreadsPerBlock = 1024;
    properties->maxThreadsPerMultiProcessor = 2048;
    properties->multiProcessorCount = emulation::kMultiprocessors;
    properties->l2CacheSize = 50 << 20;
    properties->major = 9;
    properties->minor = 0;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    cudaDeviceProp all;
    const cudaError_t status = cudaGetDeviceProperties(&all, device);
    if (status != cudaSuccess) return status;
    switch (attribute) {
        case cudaDevAttrMaxThreadsPerBlock: *value = all.maxThreadsPerBlock; break;
        case cudaDevAttrMaxSharedMemoryPerBlock:
            *value = static_cast<int>(all.sharedMemPerBlock);
            break;
        case cudaDevAttrWarpSize: *value = all.warpSize; break;
        case cudaDevAttrMultiProcessorCount: *value = all.multiProcessorCount; break;
        case cudaDevAttrL2CacheSize: *value = all.l2CacheSize; break;
        case cudaDevAttrMaxThreadsPerMultiProcessor:
            *value = all.maxThreadsPerMultiProcessor;
            break;
        case cudaDevAttrComputeCapabilityMajor: *value = all.major; break;
        case cudaDevAttrComputeCapabilityMinor: *value = all.minor; break;
        case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
            *value = static_cast<int>(all.sharedMemPerMultiprocessor);
            break;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            *value = static_cast<int>(all.sharedMemPerBlockOptin);
            break;
        case cudaDevAttrMemoryPoolsSupported: *value = 1; break;
        default: return remember(cudaErrorInvalidValue);
    }
    return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
    const Lock lock(emulation::api_lock());
    if (emulation::is_any_capturing()) return remember(cudaErrorStreamCaptureUnsupported);
    emulation::finish_all();
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = emulation::kVersion;
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }

// ------------------------------------------------------------------ streams
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
    const Lock lock(emulation::api_lock());
    *stream = emulation::create_stream(flags != cudaStreamNonBlocking);
    return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
    return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    const Lock lock(emulation::api_lock());
    if (stream == nullptr || !emulation::is_stream(stream))
        return remember(cudaErrorInvalidResourceHandle);
    emulation::destroy_stream(stream);
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    const Lock lock(emulation::api_lock());
    if (!emulation::is_stream(stream)) return remember(cudaErrorInvalidResourceHandle);
    if (emulation::is_capturing(stream)) return remember(cudaErrorStreamCaptureUnsupported);
    return emulation::wait_for(emulation::last_of(stream));
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
    const Lock lock(emulation::api_lock());
    if (!emulation::is_stream(stream)) return remember(cudaErrorInvalidResourceHandle);
    if (emulation::is_capturing(stream)) return remember(cudaErrorStreamCaptureUnsupported);
    return emulation::poll(emulation::last_of(stream));
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    const Lock lock(emulation::api_lock());
    if (!emulation::is_stream(stream) || event == nullptr)
        return remember(cudaErrorInvalidResourceHandle);
    if (emulation::is_capturing(stream)) return remember(cudaErrorStreamCaptureUnsupported);
    emulation::enqueue(stream, [] {}, {event->recorded});
    return cudaSuccess;
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* argument) {
    const Lock lock(emulation::api_lock());
    if (!emulation::is_stream(stream)) return remember(cudaErrorInvalidResourceHandle);
    emulation::enqueue(stream, [function, argument] {
        emulation::close_device_memory();  // it is the host's code
        function(argument);
        emulation::open_device_memory();
    });
    return cudaSuccess;
}

// ------------------------------------------------------------------ events
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = new CUevent_st;
    return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    if (event == nullptr) return remember(cudaErrorInvalidResourceHandle);
    delete event;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    const Lock lock(emulation::api_lock());
    if (event == nullptr || !emulation::is_stream(stream))
        return remember(cudaErrorInvalidResourceHandle);
    if (emulation::is_capturing(stream)) return remember(cudaErrorStreamCaptureUnsupported);
    event->recorded =
        emulation::enqueue(stream, [time = event->time] { *time = Clock::now(); });
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    const Lock lock(emulation::api_lock());
    if (event == nullptr) return remember(cudaErrorInvalidResourceHandle);
    return emulation::wait_for(event->recorded);
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
    const Lock lock(emulation::api_lock());
    if (event == nullptr) return remember(cudaErrorInvalidResourceHandle);
    return emulation::poll(event->recorded);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
    const Lock lock(emulation::api_lock());
    if (from == nullptr || to == nullptr || from->recorded == 0 || to->recorded == 0)
        return remember(cudaErrorInvalidResourceHandle);
    if (!emulation::is_done(from->recorded) || !emulation::is_done(to->recorded))
        return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(*to->time - *from->time).count();
    return cudaSuccess;
}

// ------------------------------------------------------------------ graphs
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    const Lock lock(emulation::api_lock());
    if (!emulation::is_stream(stream)) return remember(cudaErrorInvalidResourceHandle);
    // The default stream cannot be captured.
    return remember(emulation::begin_capture(stream) ? cudaSuccess
                                                     : cudaErrorStreamCaptureUnsupported);
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    const Lock lock(emulation::api_lock());
    std::vector<emulation::Work> work;
    *graph = nullptr;
    if (!emulation::is_stream(stream)) return remember(cudaErrorInvalidResourceHandle);
    if (!emulation::end_capture(stream, work)) return remember(cudaErrorInvalidValue);
    *graph = new CUgraph_st{std::move(work)};
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
    if (graph == nullptr) return remember(cudaErrorInvalidValue);
    *executable = new CUgraphExec_st{graph->work};
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    const Lock lock(emulation::api_lock());
    if (executable == nullptr) return remember(cudaErrorInvalidValue);
    if (!emulation::is_stream(stream)) return remember(cudaErrorInvalidResourceHandle);
    emulation::enqueue(stream, [work = executable->work] {
        for (const emulation::Work& step : work) step();
    });
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    delete executable;
    return cudaSuccess;
}
