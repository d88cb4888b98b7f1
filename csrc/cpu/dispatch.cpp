// SPDX-License-Identifier: Apache-2.0
// Which build of the pool kernels runs on this processor. See pool_kernels.cpp.
#include "error.h"
#include "pool_kernels.h"

namespace fisher_select::cpu {

#define FS_DECLARE_KERNELS(set)                      \
    namespace set {                                  \
    extern const PoolKernels<float> float_kernels;   \
    extern const PoolKernels<double> double_kernels; \
    }
FS_DECLARE_KERNELS(baseline)
#if defined(FS_X86_KERNELS)
FS_DECLARE_KERNELS(avx2)
FS_DECLARE_KERNELS(avx512)
#endif

namespace {

template <class T>
const PoolKernels<T>& pick(const PoolKernels<float>& f, const PoolKernels<double>& d) {
    if constexpr (sizeof(T) == sizeof(float))
        return f;
    else
        return d;
}

#if defined(FS_X86_KERNELS)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

}  // namespace

template <class T>
const PoolKernels<T>& pool_kernels(const std::string& instruction_set) {
    const bool best = instruction_set == "auto";
#if defined(FS_X86_KERNELS)
    if ((best || instruction_set == "avx512") && has_avx512())
        return pick<T>(avx512::float_kernels, avx512::double_kernels);
    if ((best || instruction_set == "avx2") && has_avx2())
        return pick<T>(avx2::float_kernels, avx2::double_kernels);
#endif
    if (best || instruction_set == "baseline")
        return pick<T>(baseline::float_kernels, baseline::double_kernels);
    throw InputError("instruction_set: this build and processor have no '" + instruction_set +
                     "'");
}

template const PoolKernels<float>& pool_kernels<float>(const std::string&);
template const PoolKernels<double>& pool_kernels<double>(const std::string&);

}  // namespace fisher_select::cpu
