// SPDX-License-Identifier: Apache-2.0
// Wall time by stage.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace fisher_select {

/// Books the seconds since the last lap to a stage.
class Stopwatch {
public:
    explicit Stopwatch(std::vector<std::pair<std::string, double>>& laps) : laps_(laps) {}

    void lap(const char* stage) {
        const auto now = Clock::now();
        laps_.emplace_back(stage, std::chrono::duration<double>(now - start_).count());
        start_ = now;
    }

private:
    using Clock = std::chrono::steady_clock;
    std::vector<std::pair<std::string, double>>& laps_;
    Clock::time_point start_ = Clock::now();
};

}  // namespace fisher_select
