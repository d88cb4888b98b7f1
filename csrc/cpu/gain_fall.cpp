// SPDX-License-Identifier: Apache-2.0
// What is left of earlier gains; see gain_fall.h.
#include "gain_fall.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace fisher_select::cpu {
namespace {

// The sample may have missed more the longer ago a look is: winners were within 0.9 of what
// today's screen showed, and had up to 1.8 times what it says is left after sixty picks.
constexpr float kSlackOfAPick = 0.02F, kMostSlack = 0.8F;

}  // namespace

float most_left(const std::vector<float>& then, const std::vector<float>& now,
                const std::vector<size_t>& in_the_race, float slack) {
    float most = 0.0F;
    for (size_t k : in_the_race)
        if (then[k] > 0.0F) most = std::max(most, now[k] / then[k]);
    if (!(most > 0.0F)) return std::numeric_limits<float>::max();  // nobody tells, none waits
    return (1.0F + slack) * most;
}

void GainFall::restart() {
    seen_.clear();
    left_.clear();
}

void GainFall::add(std::vector<float> screened, std::vector<float> exact,
                   const std::vector<size_t>& in_the_race) {
    seen_.push_back(std::move(screened));
    seen_.push_back(std::move(exact));
    const std::vector<float>& now = seen_.back();
    left_.clear();
    for (size_t when = 0; when < seen_.size(); ++when) {
        const auto picks = static_cast<float>((seen_.size() - 1 - when) / 2);
        left_.push_back(most_left(seen_[when], now, in_the_race,
                                  std::min(kSlack + kSlackOfAPick * picks, kMostSlack)));
    }
}

}  // namespace fisher_select::cpu
