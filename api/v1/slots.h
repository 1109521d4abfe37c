#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace jaild::api {

/// How much of something may be under way at a time. I/O thread only.
class Slots {
public:
    explicit Slots(std::size_t count) : free_(count) {}

    /// Some of them, given back when it is destroyed.
    class Slot {
    public:
        Slot(Slots& of, std::size_t count) : of_(&of), count_(count) { of_->free_ -= count_; }
        Slot(Slot&& other) noexcept : of_(std::exchange(other.of_, nullptr)), count_(other.count_) {}
        Slot& operator=(Slot&&) = delete;
        [[nodiscard]] std::size_t count() const { return count_; }
        /// Takes up to `more` beside what it has; how many there were.
        std::size_t grow(std::size_t more) {
            const auto taken = std::min(more, of_->free_);
            of_->free_ -= taken;
            count_ += taken;
            return taken;
        }
        ~Slot() {
            if (of_) of_->free_ += count_;
        }

    private:
        Slots* of_;
        std::size_t count_;
    };

    /// Nothing when fewer are left.
    std::optional<Slot> take(std::size_t count = 1) {
        return free_ >= count ? std::optional<Slot>(std::in_place, *this, count) : std::nullopt;
    }

private:
    std::size_t free_;
};

}  // namespace jaild::api
