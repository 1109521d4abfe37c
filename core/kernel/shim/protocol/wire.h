#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Values in a frame's body: little-endian numbers, strings as length and bytes, lists as count and elements. A reader
/// takes what it knows and ignores the rest, so a newer side may append fields; nothing is ever removed or reordered.
namespace jaild::shim {

class Writer {
public:
    Writer& u8(std::uint8_t value);
    Writer& u32(std::uint32_t value);
    Writer& i64(std::int64_t value);
    Writer& text(std::string_view value);
    Writer& list(const std::vector<std::string>& values);
    [[nodiscard]] std::string take() { return std::move(body_); }

private:
    void number(std::uint64_t value, unsigned bytes);
    std::string body_;
};

/// Never reads beyond its body. After the first value that is not whole, ok() is false and all others are empty.
class Reader {
public:
    explicit Reader(std::string_view body) : rest_(body) {}
    std::uint8_t u8();
    std::uint32_t u32();
    std::int64_t i64();
    std::string text();
    std::vector<std::string> list();
    [[nodiscard]] bool ok() const { return ok_; }
    /// For fields that a later version appended: nothing is left of this body.
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

private:
    std::uint64_t number(unsigned bytes);
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace jaild::shim
