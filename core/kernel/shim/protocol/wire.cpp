#include "core/kernel/shim/protocol/wire.h"

namespace jaild::shim {

void Writer::number(std::uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) body_ += static_cast<char>((value >> (8 * i)) & 0xFFU);
}

Writer& Writer::u8(std::uint8_t value) {
    number(value, 1);
    return *this;
}

Writer& Writer::u32(std::uint32_t value) {
    number(value, 4);
    return *this;
}

Writer& Writer::i64(std::int64_t value) {
    number(static_cast<std::uint64_t>(value), 8);
    return *this;
}

Writer& Writer::text(std::string_view value) {
    number(value.size(), 4);
    body_.append(value);
    return *this;
}

Writer& Writer::list(const std::vector<std::string>& values) {
    number(values.size(), 4);
    for (const auto& value : values) text(value);
    return *this;
}

std::uint64_t Reader::number(unsigned bytes) {
    if (!ok_ || rest_.size() < bytes) {
        ok_ = false;
        return 0;
    }
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bytes; ++i)
        value |= static_cast<std::uint64_t>(static_cast<unsigned char>(rest_[i])) << (8 * i);
    rest_.remove_prefix(bytes);
    return value;
}

std::uint8_t Reader::u8() {
    return static_cast<std::uint8_t>(number(1));
}

std::uint32_t Reader::u32() {
    return static_cast<std::uint32_t>(number(4));
}

std::int64_t Reader::i64() {
    return static_cast<std::int64_t>(number(8));
}

std::string Reader::text() {
    const auto size = u32();
    if (!ok_ || rest_.size() < size) {
        ok_ = false;
        return {};
    }
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return value;
}

std::vector<std::string> Reader::list() {
    const auto count = u32();
    // Each element takes at least the 4 bytes of its length: a count beyond that is a lie, and reserves no memory.
    if (!ok_ || count > rest_.size() / 4) {
        ok_ = false;
        return {};
    }
    std::vector<std::string> values;
    values.reserve(count);
    for (std::uint32_t i = 0; i < count && ok_; ++i) values.push_back(text());
    return values;
}

}  // namespace jaild::shim
