#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace jaild {

/// A database id that cannot be mixed up with another table's. 0 means none.
template <class Tag>
struct Id {
    std::int64_t value = 0;
    constexpr auto operator<=>(const Id&) const = default;
};

using JailId = Id<struct JailTag>;
using NetworkId = Id<struct NetworkTag>;
using TemplateId = Id<struct TemplateTag>;  ///< 0: the host's own
using SnapshotId = Id<struct SnapshotTag>;
using PoolId = Id<struct PoolTag>;
using EventSeq = Id<struct EventTag>;  ///< also the SSE event id; strictly growing

/// How many interfaces a jail may have: each has a name of its own on the host (core/kernel/names.h).
inline constexpr unsigned kMaxInterfaces = 8;

/// One of a jail's interfaces: `index` is its place in the spec's list.
struct LinkId {
    JailId jail;
    unsigned index = 0;  ///< below kMaxInterfaces
    constexpr auto operator<=>(const LinkId&) const = default;
};

/// Grows with every change of a jail's spec; part of its ETag.
using Generation = std::int64_t;
/// Grows with every restart that was asked for: a jail that was made under a smaller one must be made anew.
using Incarnation = std::int64_t;

/// Names this installation in the kernel: exactly 5 characters of [a-z0-9], the first a letter, drawn once when the
/// state directory is made.
class InstanceId {
public:
    static constexpr std::size_t kLength = 5;
    static Result<InstanceId> parse(std::string_view text);
    /// From getrandom(2).
    static InstanceId generate();
    [[nodiscard]] const std::string& text() const { return text_; }
    auto operator<=>(const InstanceId&) const = default;

private:
    explicit InstanceId(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

/// Lower-case base 36, without leading zeros: 35 is "z".
std::string to_base36(std::uint64_t value);
Result<std::uint64_t> from_base36(std::string_view text);

}  // namespace jaild

template <class Tag>
struct std::hash<jaild::Id<Tag>> {
    std::size_t operator()(const jaild::Id<Tag>& id) const noexcept { return std::hash<std::int64_t>{}(id.value); }
};
