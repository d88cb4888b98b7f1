// SPDX-License-Identifier: Apache-2.0
// A shard as Python describes it (fisher_select/shards.py): its numbers, and the methods by
// which the ranks talk. Those see the core's memory as NumPy arrays, for the call alone.
#pragma once

#include <pybind11/numpy.h>

#include <optional>
#include <vector>

#include "shard.h"

namespace fisher_select::bindings {

namespace py = pybind11;

using Doubles = py::array_t<double, py::array::c_style>;

/// `values` [count] where they lie: nothing is copied, and nothing is owned.
inline Doubles borrowed(const double* values, int64_t count) {
    return Doubles(static_cast<py::ssize_t>(count), values, py::none());
}

/// None, or an object with rank, ranks, first, rows, labeled, replay (a list of int) and
/// sum(values), gather(own, out), broadcast(values, root), picked(row, score). What these
/// raise ends the call. The object must outlive the shard.
inline std::optional<Shard> make_shard(const py::object& described) {
    if (described.is_none()) return std::nullopt;
    Shard shard;
    shard.first = described.attr("first").cast<int64_t>();
    shard.rows = described.attr("rows").cast<int64_t>();
    shard.labeled = described.attr("labeled").cast<int64_t>();
    for (const py::handle row : described.attr("replay"))
        shard.replay.push_back(row.cast<int64_t>());
    shard.picked = [&described](int64_t row, double score) {
        py::gil_scoped_acquire gil;
        described.attr("picked")(row, score);
    };
    Collective& collective = shard.collective;
    collective.rank = described.attr("rank").cast<int>();
    collective.ranks = described.attr("ranks").cast<int>();
    collective.sum = [&described](double* values, int64_t count) {
        py::gil_scoped_acquire gil;
        described.attr("sum")(borrowed(values, count));
    };
    collective.gather = [&described, ranks = collective.ranks](const double* own, int64_t count,
                                                               double* all) {
        py::gil_scoped_acquire gil;
        described.attr("gather")(borrowed(own, count), borrowed(all, ranks * count));
    };
    collective.broadcast = [&described](double* values, int64_t count, int root) {
        py::gil_scoped_acquire gil;
        described.attr("broadcast")(borrowed(values, count), root);
    };
    return shard;
}

}  // namespace fisher_select::bindings
