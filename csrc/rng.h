// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers (Philox4x64-10): a draw is a function of seed and position, so
// host and device, any thread and any order see the same ones. Word for word the stream of
// numpy.random.Philox(key=seed), which is what the reference draws from.
// Source: Salmon, Moraes, Dror, Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
#pragma once

#include <cstdint>

#include "portable.h"

namespace fisher_select {

struct WidePair {
    uint64_t high, low;
};

FS_HOST_DEVICE WidePair wide_product(uint64_t a, uint64_t b) {
#if defined(__CUDA_ARCH__)
    return {__umul64hi(a, b), a * b};
#elif defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 Wide;
    const Wide product = static_cast<Wide>(a) * b;
    return {static_cast<uint64_t>(product >> 64), static_cast<uint64_t>(product)};
#else
    const uint64_t a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
    const uint64_t middle = a1 * b0 + ((a0 * b0) >> 32),
                   other = a0 * b1 + (middle & 0xffffffffu);
    return {a1 * b1 + (middle >> 32) + (other >> 32), a * b};
#endif
}

/// Word number `position` of the stream of `seed`.
FS_HOST_DEVICE uint64_t random_word(uint64_t seed, uint64_t position) {
    // NumPy counts up before it draws: the first four words come from counter 1.
    uint64_t c0 = position / 4 + 1, c1 = 0, c2 = 0, c3 = 0, k0 = seed, k1 = 0;
    for (int round = 0; round < 10; ++round) {
        const WidePair p = wide_product(0xD2E7470EE14C6C93u, c0);
        const WidePair r = wide_product(0xCA5A826395121157u, c2);
        c0 = r.high ^ c1 ^ k0;
        c1 = r.low;
        c2 = p.high ^ c3 ^ k1;
        c3 = p.low;
        k0 += 0x9E3779B97F4A7C15u;
        k1 += 0xBB67AE8584CAA73Bu;
    }
    const uint64_t lane = position % 4;
    return lane < 2 ? (lane == 0 ? c0 : c1) : (lane == 2 ? c2 : c3);
}

/// Uniform in (0, 1), neither end ever: 53 bits, at the middle of their cell.
FS_HOST_DEVICE double random_uniform(uint64_t seed, uint64_t position) {
    return (static_cast<double>(random_word(seed, position) >> 11) + 0.5) * 0x1p-53;
}

}  // namespace fisher_select
