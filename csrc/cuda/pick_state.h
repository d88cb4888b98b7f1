// SPDX-License-Identifier: Apache-2.0
// What a stage knows on the device, so that picks follow one another without the host: every
// kernel of a pick returns at once when `stopped` is set, until the host has looked.
#pragma once

#include <cstdint>

#include "greedy.h"

namespace fisher_select::cuda {

enum Stop : int {
    kGoing = 0,
    kUnsound,  ///< see Doubt
    kWorn,     ///< see Doubt
    kWiden,    ///< the margin has grown: the pick is to be chosen again
    kCrowded,  ///< more leaders than one reading of Q and P serves: choose again, in rounds
};

/// A pick as the host reads it.
struct Pick {
    int64_t index;
    double score, objective;  // exact; tr(M^-1 F), or log det M, after its commit
};

struct PickState {
    int stopped;
    int winner_place;  // of the winner among the leaders evaluated last
    int64_t made;      // picks since the host last looked
    double margin, max_drift;
    double objective;    // tr(M^-1 F), or log det M
    double error_scale;  // see worn_by_rounding
    Leader winner;
    Leaders leaders;
};

}  // namespace fisher_select::cuda
