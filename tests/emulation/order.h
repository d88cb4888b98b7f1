// SPDX-License-Identifier: Apache-2.0
// In which order blocks, warps and lanes run where a device leaves it open.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <random>
#include <span>
#include <string>

namespace emulation {

class Order {
public:
    /// FS_EMULATION_ORDER: "forward" (the default), "reverse", or a number, the seed of a
    /// shuffle. Read at each launch, so that a test can set it.
    static Order from_environment() {
        const char* text = std::getenv("FS_EMULATION_ORDER");
        const std::string wanted = text == nullptr ? "forward" : text;
        Order order;
        if (wanted == "forward") return order;
        order.kind_ = wanted == "reverse" ? Kind::reverse : Kind::shuffle;
        if (order.kind_ == Kind::shuffle) order.random_.seed(std::stoul(wanted));
        return order;
    }

    /// Fills `numbers` with 0, 1, ... in this order.
    template <class T>
    void arrange(std::span<T> numbers) {
        std::iota(numbers.begin(), numbers.end(), T{0});
        if (kind_ == Kind::reverse) std::reverse(numbers.begin(), numbers.end());
        if (kind_ == Kind::shuffle) std::shuffle(numbers.begin(), numbers.end(), random_);
    }

private:
    enum class Kind { forward, reverse, shuffle };
    Kind kind_ = Kind::forward;
    std::mt19937_64 random_;
};

}  // namespace emulation
