// SPDX-License-Identifier: Apache-2.0
// The k largest of many numbers that are not negative, exactly and without a sort: radix
// selection on the bits of the floats, behind a filter that a sample provides.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "context.h"
#include "ops.h"
#include "parallel.h"
#include "rows.h"
#include "view.h"

namespace fisher_select::cpu {

/// Entries of one layer, or of `always`, cut into tasks of kChunk at most, in index order.
using Chunks = std::vector<MaskProblem::Range>;

constexpr int64_t kChunk = 1 << 16;  // so offsets within a chunk are 32 bits wide

/// Radix selection among the entries of a layer. Keys are the bits of the floats: for numbers
/// that are not negative their order is that of the numbers.
template <class T>
class TopK {
    static constexpr int64_t kBlock = 64;  // entries skipped together when all are small
    static constexpr int kDigitBits = 16;  // of a histogram: sign-free float32 has two digits
    static constexpr int64_t kFew = 1 << 14;  // entries about the threshold, simply compared
    static constexpr int64_t kSamples = 1 << 15;  // read at most to guess the threshold
    static constexpr int64_t kStep = 128;         // entries a sample at least

public:
    TopK(const Context& context, const ValuesView& view)
        : context_(context), data_(static_cast<const T*>(view.data)), stride_(view.stride) {
        histograms_.resize(static_cast<size_t>(context.threads));
    }

    /// Whether every entry is a finite number, not negative.
    bool check(const Chunks& chunks) {
        bad_ = false;
        visit(chunks, std::numeric_limits<T>::infinity(), [](size_t, int, int64_t, Key) {});
        return !bad_;
    }

    /// Appends the `quota` > 0 largest in index order; false where `check` would say so.
    bool select(const Chunks& chunks, int64_t quota, std::vector<int64_t>& kept) {
        bad_ = false;
        prefix_ = 0;
        shift_ = kKeyBits;
        need_ = quota;
        inside_ = total_length(chunks);
        found_.clear();
        low_ = guess(chunks, quota);
        if (low_ > T(0)) collect(chunks);
        if (!found_.empty() && count_found() < quota) found_.clear();  // guessed too high
        if (found_.empty())
            low_ = T(0);
        else
            inside_ = count_found();
        while (!bad_ && shift_ > 0 && need_ < inside_ && inside_ > kFew) narrow(chunks);
        if (found_.empty()) collect(chunks);
        if (bad_) return false;
        const Entry last = last_kept(chunks);
        for (size_t c = 0; c < chunks.size(); ++c)
            for (const Candidate& candidate : found_[c]) {
                const Entry entry{candidate.key, chunks[c].begin + candidate.offset};
                if (!(last < entry)) kept.push_back(entry.index);
            }
        return true;
    }

private:
    using Key = std::conditional_t<sizeof(T) == sizeof(float), uint32_t, uint64_t>;
    static constexpr int kKeyBits = 8 * static_cast<int>(sizeof(T)) - 1;  // all but the sign

    struct Entry {
        Key key;
        int64_t index;
        bool operator<(const Entry& other) const {  // larger first, ties to the lowest index
            return key != other.key ? key > other.key : index < other.index;
        }
    };

    struct Candidate {  // with its key: reading the array again here and there is slow
        Key key;
        uint32_t offset;  // within its chunk
    };

    static int64_t total_length(const Chunks& chunks) {
        int64_t total = 0;
        for (const auto& chunk : chunks) total += chunk.end - chunk.begin;
        return total;
    }

    static Key key_of(T value) { return std::bit_cast<Key>(value + T(0)); }  // -0 is 0
    static T value_of(Key key) { return std::bit_cast<T>(key); }
    static bool valid(T value) {
        return value >= T(0) && value <= std::numeric_limits<T>::max();
    }

    /// Whether all of a block lie in [0, low); not so where one is NaN, negative, or -0. Key by
    /// key the sign bit of (key - low) & ~key says it, in three instructions that any set of
    /// vectors has for 32 bits and for 64.
    static bool all_below(const T* x, Key low) {
        Key inside = ~Key{0};
        for (int64_t k = 0; k < kBlock; ++k) {
            const Key key = std::bit_cast<Key>(x[k]);
            inside &= static_cast<Key>(key - low) & static_cast<Key>(~key);
        }
        return inside >> kKeyBits != 0;
    }

    /// body(chunk, thread, index, key) for each entry of at least `low`, by index within a
    /// chunk; that there are entries which are not valid is noted.
    template <class Body>
    void visit(const Chunks& chunks, T low, const Body& body) {
        parallel_for(context_, static_cast<int64_t>(chunks.size()), [&](int64_t c, int thread) {
            const size_t chunk = static_cast<size_t>(c);
            const MaskProblem::Range range = chunks[chunk];
            std::array<T, kBlock> packed;
            for (int64_t begin = range.begin; begin < range.end; begin += kBlock) {
                const int64_t count = std::min(kBlock, range.end - begin);
                const T* x = data_ + begin * stride_;
                if (stride_ != 1) {
                    pack_row(x, stride_, count, packed.data());
                    x = packed.data();
                }
                if (count == kBlock && all_below(x, key_of(low))) continue;
                std::array<int64_t, kBlock> hits;
                size_t hit_count = 0;
                bool sound = true;
                for (int64_t k = 0; k < count; ++k) {  // no branch: nobody can predict it
                    hits[hit_count] = k;
                    hit_count += static_cast<size_t>(x[k] >= low);
                    sound &= valid(x[k]);
                }
                if (!sound) bad_.store(true, std::memory_order_relaxed);
                for (size_t h = 0; h < hit_count; ++h)
                    body(chunk, thread, begin + hits[h], key_of(x[hits[h]]));
            }
        });
    }

    /// The same among the entries found before, where there are any.
    template <class Body>
    void visit_candidates(const Chunks& chunks, const Body& body) {
        if (found_.empty()) return visit(chunks, low_, body);
        parallel_for(context_, static_cast<int64_t>(chunks.size()), [&](int64_t c, int thread) {
            const size_t chunk = static_cast<size_t>(c);
            for (const Candidate& candidate : found_[chunk])
                if (candidate.key >= key_of(low_))
                    body(chunk, thread, chunks[chunk].begin + candidate.offset, candidate.key);
        });
    }

    /// Looks at the next digit of the entries that begin like the threshold (all at first), and
    /// so fixes that digit of the threshold.
    void narrow(const Chunks& chunks) {
        const int next = std::max(shift_ - kDigitBits, 0);
        const Key digits = (Key{1} << (shift_ - next)) - 1;
        for (std::vector<int64_t>& h : histograms_)
            h.assign(static_cast<size_t>(digits) + 1, 0);
        visit_candidates(chunks, [&](size_t, int thread, int64_t, Key key) {
            if (key >> shift_ == prefix_)
                ++histograms_[static_cast<size_t>(thread)][(key >> next) & digits];
        });
        if (bad_) return;
        for (Key digit = digits;; --digit) {
            int64_t count = 0;
            for (const std::vector<int64_t>& h : histograms_) count += h[digit];
            if (count >= need_) {
                inside_ = count;
                prefix_ = static_cast<Key>(prefix_ << (shift_ - next)) | digit;
                shift_ = next;
                low_ = value_of(prefix_ << shift_);
                return;
            }
            need_ -= count;
        }
    }

    /// A value that the threshold hardly lies below, from a sample: the fewer entries reach
    /// it, the fewer need be looked at. 0 where a guess would not pay.
    T guess(const Chunks& chunks, int64_t quota) const {
        const int64_t samples = std::min(inside_ / kStep, kSamples);
        const double expected = static_cast<double>(quota) / static_cast<double>(inside_) *
                                static_cast<double>(samples);
        const auto rank = static_cast<int64_t>(expected + 4 * std::sqrt(expected) + 8);
        if (rank >= samples / 2) return T(0);
        const int64_t step = inside_ / samples;
        std::vector<Key> sample(static_cast<size_t>(samples));
        size_t chunk = 0;
        int64_t before = 0;  // entries in the chunks before this one
        for (int64_t s = 0; s < samples; ++s) {
            // A scattered place in each stretch: layers repeat themselves at regular distances.
            const uint64_t scattered = static_cast<uint64_t>(s) * 0x9E3779B97F4A7C15u >> 32;
            const int64_t place = s * step + static_cast<int64_t>(scattered) % step;
            while (place - before >= chunks[chunk].end - chunks[chunk].begin) {
                before += chunks[chunk].end - chunks[chunk].begin;
                ++chunk;
            }
            sample[static_cast<size_t>(s)] =
                key_of(data_[(chunks[chunk].begin + place - before) * stride_]);
        }
        std::nth_element(sample.begin(), sample.begin() + rank, sample.end(), std::greater<>());
        const T value = value_of(sample[static_cast<size_t>(rank)]);
        return valid(value) ? value : T(0);
    }

    /// Makes the entries that reach `low_` the candidates.
    void collect(const Chunks& chunks) {
        std::vector<std::vector<Candidate>> found(chunks.size());
        visit_candidates(chunks, [&](size_t chunk, int, int64_t index, Key key) {
            found[chunk].push_back({key, static_cast<uint32_t>(index - chunks[chunk].begin)});
        });
        found_ = std::move(found);
    }

    int64_t count_found() const {
        size_t count = 0;
        for (const std::vector<Candidate>& candidates : found_) count += candidates.size();
        return static_cast<int64_t>(count);
    }

    /// The last entry kept, by value and then index, of those found.
    Entry last_kept(const Chunks& chunks) const {
        if (need_ == inside_)
            return {static_cast<Key>(prefix_ << shift_), std::numeric_limits<int64_t>::max()};
        std::vector<Entry> boundary;
        int64_t ties = 0;
        for (size_t c = 0; c < chunks.size(); ++c)
            for (const Candidate& candidate : found_[c]) {
                if (candidate.key >> shift_ != prefix_) continue;
                const Entry entry{candidate.key, chunks[c].begin + candidate.offset};
                if (shift_ > 0)
                    boundary.push_back(entry);
                else if (++ties == need_)
                    return entry;
            }
        const auto last = boundary.begin() + (need_ - 1);
        std::nth_element(boundary.begin(), last, boundary.end());
        return *last;
    }

    const Context& context_;
    const T* data_;
    int64_t stride_;
    std::vector<std::vector<int64_t>> histograms_;  // of each thread
    std::atomic<bool> bad_{false};

    // The threshold, as far as it is known: its bits above `shift_` are `prefix_`; `inside_`
    // candidates share them; the `need_` largest of these are kept beside all that are larger.
    Key prefix_ = 0;
    int shift_ = kKeyBits;
    int64_t need_ = 0, inside_ = 0;
    T low_ = T(0);                               // no entry below it is kept
    std::vector<std::vector<Candidate>> found_;  // by chunk; empty: every entry is one
};

}  // namespace fisher_select::cpu
