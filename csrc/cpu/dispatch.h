// SPDX-License-Identifier: Apache-2.0
// The inner loops for this processor: the best instruction set it has ("auto"), or a named one
// ("baseline", "avx2", "avx512"); InputError where the processor or the build lacks it.
#pragma once

#include <string>

#include "distance_kernels.h"
#include "information_gain_kernels.h"
#include "mean_distance_kernels.h"
#include "pool_kernels.h"

namespace fisher_select::cpu {

/// How many sets this build and processor have; each includes the one before.
int supported_sets();
/// "baseline" is 0.
const char* set_name(int set);

template <class T>
const PoolKernels<T>& pool_kernels(const std::string& instruction_set);

template <class T>
const GainKernels<T>& gain_kernels(const std::string& instruction_set);

const DistanceKernels& distance_kernels(const std::string& instruction_set);

const MeanDistanceKernels& mean_distance_kernels(const std::string& instruction_set);

}  // namespace fisher_select::cpu
