// SPDX-License-Identifier: Apache-2.0
// Points of a sharded pool on every rank: views into the pool where they are held, copies
// elsewhere. That is how a row becomes a centre on all ranks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "buffer.h"
#include "exact_distance.h"
#include "shard.h"
#include "view.h"

namespace fisher_select::cpu {

class VisitingPoints {
public:
    /// Both must outlive it, and it whatever looks at the points.
    VisitingPoints(const ExactDistance& exact, const Collective& collective)
        : exact_(exact), collective_(collective) {}

    /// Hands the points at some rows of the owner's pool (elsewhere `rows` mean nothing, their
    /// count does) to add(const Point&) on every rank, in turn. `word` goes with them: returns
    /// the owner's.
    template <class Add>
    double share(int owner, RowList rows, double word, const Add& add) {
        const int64_t length = exact_.length() + exact_.classes();
        message_.resize(static_cast<size_t>(rows.count * length + 1));
        const bool here = collective_.rank == owner;
        for (int64_t i = 0; here && i < rows.count; ++i)
            exact_.load(exact_.point(rows[i]), message_.data() + i * length);
        message_.back() = here ? word : 0.0;
        collective_.broadcast(message_.data(), static_cast<int64_t>(message_.size()), owner);
        for (int64_t i = 0; i < rows.count; ++i)
            add(here ? exact_.point(rows[i])
                     : exact_.lay_down(message_.data() + i * length, room()));
        return message_.back();
    }

    /// The same for each rank's `rows`, in the order of the ranks, by messages of 8 MB.
    template <class Add>
    void share_all(RowList rows, const Add& add) {
        constexpr int64_t kValues = 1 << 20;
        const int64_t most =
            std::max<int64_t>(1, kValues / (exact_.length() + exact_.classes()));
        const double own = static_cast<double>(rows.count);
        std::vector<double> counts(static_cast<size_t>(collective_.ranks));
        collective_.gather(&own, 1, counts.data());
        for (int rank = 0; rank < collective_.ranks; ++rank) {
            const int64_t total = static_cast<int64_t>(counts[static_cast<size_t>(rank)]);
            const bool here = rank == collective_.rank;
            for (int64_t begin = 0; begin < total; begin += most)
                share(rank,
                      {here ? rows.index + begin : nullptr, std::min(most, total - begin)}, 0.0,
                      add);
        }
    }

private:
    /// For one more point.
    std::byte* room() {
        constexpr int64_t kBytes = 1 << 20;
        const int64_t size = exact_.room_bytes();
        if (blocks_.empty() || used_ + size > blocks_.back().size()) {
            blocks_.emplace_back(std::initializer_list<int64_t>{std::max(size, kBytes)},
                                 "the centres of other ranks", "label or select fewer rows");
            used_ = 0;
        }
        used_ += size;
        return blocks_.back().data() + used_ - size;
    }

    const ExactDistance& exact_;
    const Collective& collective_;
    std::vector<double> message_;
    std::vector<Buffer<std::byte>> blocks_;
    int64_t used_ = 0;  // of the last block, bytes
};

}  // namespace fisher_select::cpu
