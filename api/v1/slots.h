#pragma once

#include <cstddef>
#include <optional>
#include <utility>

namespace jaild::api {

/// How many of something may be under way at a time. I/O thread only.
class Slots {
public:
    explicit Slots(std::size_t count) : free_(count) {}

    /// One of them, given back when it is destroyed.
    class Slot {
    public:
        explicit Slot(Slots& of) : of_(&of) { --of_->free_; }
        Slot(Slot&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
        Slot& operator=(Slot&&) = delete;
        ~Slot() {
            if (of_) ++of_->free_;
        }

    private:
        Slots* of_;
    };

    /// Nothing when all are taken.
    std::optional<Slot> take() { return free_ > 0 ? std::optional<Slot>(std::in_place, *this) : std::nullopt; }

private:
    std::size_t free_;
};

}  // namespace jaild::api
