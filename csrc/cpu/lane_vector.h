// SPDX-License-Identifier: Apache-2.0
// Sixteen candidates as one value: the type V of candidate.h on a CPU. The compiler splits a
// vector into whatever the instruction set offers. For pool_kernels.cpp alone: elsewhere such
// a type would depend on that file's own flags.
#pragma once

#include "lanes.h"
#include "portable.h"

namespace fisher_select::cpu {

template <class T>
struct LaneType;
template <>
struct LaneType<float> {
    typedef float type __attribute__((vector_size(kLanes * sizeof(float))));
};
template <>
struct LaneType<double> {
    typedef double type __attribute__((vector_size(kLanes * sizeof(double))));
};
template <class T>
using Lanes = typename LaneType<T>::type;

/// A block's own place is aligned.
template <class T>
FS_HOST_DEVICE Lanes<T> load(const T* p) {
    return *reinterpret_cast<const Lanes<T>*>(p);
}

/// The lanes of a value one by one, where candidates go different ways.
template <class T>
struct EachLane {
    FS_HOST_DEVICE static T at(Lanes<T> x, int lane) { return x[lane]; }
    template <class F>
    FS_HOST_DEVICE static Lanes<T> each(const F& f) {
        Lanes<T> x{};
        for (int l = 0; l < kLanes; ++l) x[l] = f(l);
        return x;
    }
};

}  // namespace fisher_select::cpu

namespace fisher_select {

// Without errno the loop becomes one vector instruction.
template <>
struct Math<cpu::Lanes<float>> : cpu::EachLane<float> {
    FS_HOST_DEVICE static cpu::Lanes<float> root(cpu::Lanes<float> x) {
        for (int l = 0; l < cpu::kLanes; ++l) x[l] = sqrtf(x[l]);
        return x;
    }
    FS_HOST_DEVICE static cpu::Lanes<float> log(cpu::Lanes<float> x) {
        for (int l = 0; l < cpu::kLanes; ++l) x[l] = logf(x[l]);
        return x;
    }
};
template <>
struct Math<cpu::Lanes<double>> : cpu::EachLane<double> {
    FS_HOST_DEVICE static cpu::Lanes<double> root(cpu::Lanes<double> x) {
        for (int l = 0; l < cpu::kLanes; ++l) x[l] = sqrt(x[l]);
        return x;
    }
    FS_HOST_DEVICE static cpu::Lanes<double> log(cpu::Lanes<double> x) {
        for (int l = 0; l < cpu::kLanes; ++l) x[l] = ::log(x[l]);
        return x;
    }
};

}  // namespace fisher_select
