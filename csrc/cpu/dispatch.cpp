// SPDX-License-Identifier: Apache-2.0
// Which build of the inner loops runs on this processor. See pool_kernels.cpp.
#include "dispatch.h"

#include <initializer_list>

#include "error.h"

namespace fisher_select::cpu {

#define FS_DECLARE_KERNELS(set)                             \
    namespace set {                                         \
    extern const DistanceKernels distance_kernels;          \
    extern const MeanDistanceKernels mean_distance_kernels; \
    extern const PoolKernels<float> float_kernels;          \
    extern const PoolKernels<double> double_kernels;        \
    extern const GainKernels<float> float_gain_kernels;     \
    extern const GainKernels<double> double_gain_kernels;   \
    }
FS_DECLARE_KERNELS(baseline)
#if defined(FS_X86_KERNELS)
FS_DECLARE_KERNELS(avx2)
FS_DECLARE_KERNELS(avx512)
#    define FS_BUILDS(kernels) {&baseline::kernels, &avx2::kernels, &avx512::kernels}
#else
#    define FS_BUILDS(kernels) {&baseline::kernels}
#endif

namespace {
constexpr const char* kSets[] = {"baseline", "avx2", "avx512"};
}

int supported_sets() {
    int count = 1;
#if defined(FS_X86_KERNELS)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) ++count;
    if (count == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        ++count;
#endif
    return count;
}

const char* set_name(int set) { return kSets[set]; }

namespace {

template <class Kernels>
const Kernels& pick(const std::string& instruction_set,
                    std::initializer_list<const Kernels*> builds) {
    const int usable = supported_sets();
    if (instruction_set == "auto") return *builds.begin()[usable - 1];
    for (int i = 0; i < usable; ++i)
        if (instruction_set == kSets[i]) return *builds.begin()[i];
    throw InputError("instruction_set: this build and processor have no '" + instruction_set +
                     "'");
}

}  // namespace

template <>
const PoolKernels<float>& pool_kernels<float>(const std::string& set) {
    return pick<PoolKernels<float>>(set, FS_BUILDS(float_kernels));
}
template <>
const PoolKernels<double>& pool_kernels<double>(const std::string& set) {
    return pick<PoolKernels<double>>(set, FS_BUILDS(double_kernels));
}

template <>
const GainKernels<float>& gain_kernels<float>(const std::string& set) {
    return pick<GainKernels<float>>(set, FS_BUILDS(float_gain_kernels));
}
template <>
const GainKernels<double>& gain_kernels<double>(const std::string& set) {
    return pick<GainKernels<double>>(set, FS_BUILDS(double_gain_kernels));
}

const DistanceKernels& distance_kernels(const std::string& set) {
    return pick<DistanceKernels>(set, FS_BUILDS(distance_kernels));
}

const MeanDistanceKernels& mean_distance_kernels(const std::string& set) {
    return pick<MeanDistanceKernels>(set, FS_BUILDS(mean_distance_kernels));
}

}  // namespace fisher_select::cpu
