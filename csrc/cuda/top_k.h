// SPDX-License-Identifier: Apache-2.0
// The k largest of many numbers that are not negative, on a device: radix selection on the bits
// of the floats, in all layers at once, and one ordered compaction.
#pragma once

#include <cstdint>

#include "device.h"

namespace fisher_select::cuda {

constexpr int64_t kChunk = 1 << 14;  // entries of a block
constexpr int kDigitBits = 11;       // of a histogram, which then takes 8 KB of shared memory
constexpr int kDigits = 1 << kDigitBits;
constexpr int32_t kAlwaysKept = -1;  // instead of a layer

/// Neighbouring entries of one layer outside `always`, or of `always`.
struct Chunk {
    int64_t begin = 0;
    int32_t length = 0, layer = kAlwaysKept;
};

/// The threshold of a layer, as far as it is known: entries whose key begins with a larger
/// prefix are kept, and `need` of those that share it.
struct Threshold {
    unsigned long long prefix = 0;
    long long need = 0;
};

/// Entries of a chunk whose key is beyond its layer's threshold, and equal to it.
struct Reached {
    int32_t beyond = 0, equal = 0;
};

/// Where a chunk's kept entries go, and how many of those equal to the threshold are kept.
struct Place {
    int64_t offset = 0, ties = 0;
};

/// The caller's diagonal, and how it is cut.
template <class T>
struct TopKInput {
    const T* data = nullptr;
    int64_t stride = 1;
    const Chunk* chunks = nullptr;  // [chunk_count], in the order of their entries
    int64_t chunk_count = 0;
    Threshold* thresholds = nullptr;  // [layers]
    int64_t layers = 0;
};

/// Bits of a key: those of a float that is not negative, less its sign.
template <class T>
constexpr int key_bits() {
    return 8 * static_cast<int>(sizeof(T)) - 1;
}

/// Fixes the digit [next, shift) of every layer's threshold. counts [layers, kDigits]: work.
/// Cost: one reading of the diagonal.
template <class T>
void narrow(const Device& device, const TopKInput<T>& input, int shift, int next,
            unsigned long long* counts);

/// reached [chunk_count], by whole thresholds; first_bad becomes the lowest index of an entry
/// that is negative, infinite or no number, if that is less. Cost: one reading of the diagonal.
template <class T>
void count_reached(const Device& device, const TopKInput<T>& input, Reached* reached,
                   unsigned long long* first_bad);

/// Writes the indices that are kept, in order. places [chunk_count]. Cost: a reading of the
/// chunks with such entries.
template <class T>
void write_kept(const Device& device, const TopKInput<T>& input, const Reached* reached,
                const Place* places, int64_t* kept);

}  // namespace fisher_select::cuda
