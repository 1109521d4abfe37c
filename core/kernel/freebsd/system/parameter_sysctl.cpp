#include "core/kernel/freebsd/system/parameter_sysctl.h"

#include <sys/types.h>
// after <sys/types.h>
#include <sys/sysctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace jaild::kernel::freebsd {
namespace {

constexpr std::string_view kBranch = "security.jail.param.";
// The nodes beneath sysctl 0 that sysctl(3) and jail(3) use too.
constexpr int kName = 1;
constexpr int kNext = 2;
constexpr int kNameToNumbers = 3;
constexpr int kFormat = 4;

static_assert(sizeof(long) == sizeof(std::int64_t), "parameter_types.h counts on LP64");

struct Numbers {
    std::array<int, CTL_MAXNAME> all{};
    std::size_t count = 0;

    [[nodiscard]] bool beneath(const Numbers& node) const {
        return count > node.count && std::equal(node.all.begin(), node.all.begin() + node.count, all.begin());
    }
};

/// sysctl {0, question, of…} into `answer`; the bytes that it wrote, nothing for ENOENT.
Result<std::optional<std::size_t>> ask(int question, const Numbers& of, void* answer, std::size_t size) {
    std::array<int, CTL_MAXNAME + 2> query{0, question};
    std::copy_n(of.all.begin(), of.count, query.begin() + 2);
    if (::sysctl(query.data(), static_cast<unsigned>(of.count + 2), answer, &size, nullptr, 0) == 0) return size;
    if (errno == ENOENT) return std::nullopt;
    return std::unexpected(Error::from_errno("sysctl", errno, "security.jail.param"));
}

Result<std::optional<Numbers>> numbers(const std::string& name) {
    const std::array<int, 2> query{0, kNameToNumbers};
    Numbers found;
    std::size_t size = sizeof found.all;
    if (::sysctl(query.data(), query.size(), found.all.data(), &size, name.data(), name.size()) == 0) {
        found.count = size / sizeof(int);
        return found;
    }
    if (errno == ENOENT) return std::nullopt;
    return std::unexpected(Error::from_errno("sysctl", errno, name));
}

/// A parameter with others beneath it ("allow.mount", "sysvmsg") is a node, and its child without a name says what it
/// is (SYSCTL_JAIL_PARAM_SYS_NODE of <sys/jail.h>). No name finds that one, so all beneath the node are gone through.
Result<std::optional<Numbers>> unnamed_child(const Numbers& node, const std::string& name) {
    for (Numbers at = node;;) {
        Numbers next;
        const auto size = ask(kNext, at, next.all.data(), sizeof next.all);
        if (!size) return std::unexpected(size.error());
        if (!*size) return std::nullopt;
        next.count = **size / sizeof(int);
        if (!next.beneath(node)) return std::nullopt;
        std::array<char, 1024> text{};
        const auto named = ask(kName, next, text.data(), text.size() - 1);
        if (!named) return std::unexpected(named.error());
        if (*named && text.data() == name + '.') return next;
        at = next;
    }
}

struct Format {
    std::uint32_t bits = 0;
    std::string text;
};

Result<std::optional<Format>> format(const Numbers& of) {
    std::array<char, 1024> answer{};
    const auto size = ask(kFormat, of, answer.data(), answer.size() - 1);
    if (!size) return std::unexpected(size.error());
    if (!*size) return std::nullopt;
    Format result;
    std::memcpy(&result.bits, answer.data(), sizeof result.bits);
    result.text = answer.data() + sizeof result.bits;
    return result;
}

std::string value(const Numbers& of) {
    std::array<char, 64> text{};
    std::size_t size = text.size() - 1;
    if (::sysctl(of.all.data(), static_cast<unsigned>(of.count), text.data(), &size, nullptr, 0) != 0) return {};
    return text.data();
}

}  // namespace

Result<std::optional<ParameterType>> ask_parameter_type(const std::string& name) {
    const std::string whole = std::string(kBranch) + name;
    auto found = numbers(whole);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::nullopt;
    auto described = format(**found);
    if (!described) return std::unexpected(described.error());
    if (*described && ((*described)->bits & CTLTYPE) == CTLTYPE_NODE) {
        found = unnamed_child(**found, whole);
        if (!found) return std::unexpected(found.error());
        if (!*found) return std::nullopt;
        described = format(**found);
        if (!described) return std::unexpected(described.error());
    }
    if (!*described) return std::nullopt;  // its module was just unloaded
    return parameter_type((*described)->bits, (*described)->text, value(**found));
}

}  // namespace jaild::kernel::freebsd
