// SPDX-License-Identifier: Apache-2.0
// How far gains have fallen since they were looked at, by a random sample of the pool that is
// looked at after every commit: the most that is left of what a look showed, among those of the
// sample that are still in the race, and a slack for what the sample may have missed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fisher_select::cpu {

/// The most that is left now of what was seen then, of some of a sample, with a slack.
float most_left(const std::vector<float>& then, const std::vector<float>& now,
                const std::vector<size_t>& in_the_race, float slack);

class GainFall {
public:
    static constexpr float kSlack = 0.05F;  // of a look of today

    /// What a look at a candidate showed, and when it was.
    struct Look {
        float gain = 0.0F;
        int32_t when = 0;  // twice the commits before it, and one more of an exact gain
    };
    static Look look(float gain, int64_t commits, bool exactly) {
        return {gain, static_cast<int32_t>(2 * commits + (exactly ? 1 : 0))};
    }

    void restart();
    /// Of the sample after another commit, and once before the first: what the screen shows,
    /// and the exact gains; 0 of those left out.
    void add(std::vector<float> screened, std::vector<float> exact,
             const std::vector<size_t>& in_the_race);
    /// What a candidate may gain now.
    float bound(const Look& look) const {
        return look.gain * left_[static_cast<size_t>(look.when)];
    }

private:
    std::vector<std::vector<float>> seen_;  // screened and exact by turns, as in Look::when
    std::vector<float> left_;               // of each of them
};

}  // namespace fisher_select::cpu
