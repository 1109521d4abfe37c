#include "core/templates/archive/entry_rules.h"

#include <algorithm>
#include <vector>

#include "core/base/utf8.h"

namespace jaild::archive {
namespace {

constexpr std::size_t kShownBytes = 200;

Error refused(std::string_view entry, const std::string& why) {
    return Error{.code = Errc::invalid,
                 .op = "check_entry",
                 .detail = "\"" + printable(entry) + "\" " + why,
                 .reason = "entry_refused",
                 .remedy = "make an archive without it"};
}

/// C0, DEL, and C1 as UTF-8 has it: they move cursors.
bool has_control(std::string_view text) {
    unsigned char before = 0;
    return std::ranges::any_of(text, [&](char c) {
        const auto byte = static_cast<unsigned char>(c);
        const bool c1 = before == 0xc2 && byte >= 0x80 && byte <= 0x9f;
        before = byte;
        return byte < 0x20 || byte == 0x7f || c1;
    });
}

Result<void> check_bytes(std::string_view entry, std::string_view text, const char* what) {
    if (has_control(text)) return std::unexpected(refused(entry, std::string("has a control character in ") + what));
    if (!is_utf8(text)) return std::unexpected(refused(entry, std::string("has bytes that are not UTF-8 in ") + what));
    return {};
}

/// Neither empty ones nor ".".
std::vector<std::string_view> components(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        const auto slash = std::min(path.find('/'), path.size());
        const auto part = path.substr(0, slash);
        if (!part.empty() && part != ".") parts.push_back(part);
        path.remove_prefix(std::min(slash + 1, path.size()));
    }
    return parts;
}

Result<std::string> clean(std::string_view entry, std::string_view name, const char* what, Contents contents) {
    if (name.empty()) return std::unexpected(refused(entry, std::string("has no ") + what));
    if (contents == Contents::base)
        if (auto good = check_bytes(entry, name, what); !good) return std::unexpected(good.error());
    if (name.starts_with('/')) return std::unexpected(refused(entry, std::string("has an absolute ") + what));
    std::string result;
    for (const auto part : components(name)) {
        if (part == "..")
            return std::unexpected(refused(entry, std::string("leads out of its directory by its ") + what));
        if (part.size() > kNameBytes) return std::unexpected(refused(entry, std::string("is too long in its ") + what));
        if (!result.empty()) result += '/';
        result += part;
    }
    if (result.size() > kPathBytes) return std::unexpected(refused(entry, std::string("has too long a ") + what));
    return result.empty() ? "." : result;
}

}  // namespace

std::string printable(std::string_view text) {
    static constexpr char kDigits[] = "0123456789abcdef";
    const bool cut = text.size() > kShownBytes;
    const auto shown = text.substr(0, kShownBytes);
    const bool plain = is_utf8(shown);
    std::string result;
    for (const char c : shown) {
        const auto byte = static_cast<unsigned char>(c);
        const bool bare = byte >= 0x20 && byte != 0x7f && (byte < 0x80 || plain);
        if (bare) {
            result += c;
        } else {
            result.append("\\x").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
        }
    }
    return cut ? result + "..." : result;
}

Result<std::string> clean_name(std::string_view name, Contents contents) {
    return clean(name, name, "name", contents);
}

Result<std::string> clean_hard_link(std::string_view entry, std::string_view target, Contents contents) {
    auto cleaned = clean(entry, target, "link target", contents);
    if (cleaned && *cleaned == ".") return std::unexpected(refused(entry, "is a hard link to the tree itself"));
    return cleaned;
}

Result<void> check_symbolic_link(std::string_view entry, std::string_view target, Contents contents) {
    if (target.empty()) return std::unexpected(refused(entry, "is a symbolic link to nothing"));
    if (target.size() > kTargetBytes) return std::unexpected(refused(entry, "has too long a link target"));
    if (contents == Contents::base)
        if (auto good = check_bytes(entry, target, "its link target"); !good) return good;
    if (entry == ".") return std::unexpected(refused(entry, "is a symbolic link in place of the tree"));
    if (contents == Contents::jail) return {};
    // From the directory that it is in, or from the root.
    auto depth = target.starts_with('/') ? std::size_t{0} : components(entry).size() - 1;
    for (const auto part : components(target)) {
        if (part != "..") {
            ++depth;
            continue;
        }
        if (depth == 0)
            return std::unexpected(refused(entry, "is a symbolic link out of the tree: \"" + printable(target) + "\""));
        --depth;
    }
    return {};
}

Result<void> check_kind(std::string_view entry, EntryKind kind, Contents contents) {
    const bool fifo_of_a_jail = kind == EntryKind::fifo && contents == Contents::jail;
    if (fifo_of_a_jail || (kind != EntryKind::other && kind != EntryKind::fifo)) return {};
    return std::unexpected(
        refused(entry, "is neither a file, a directory nor a link: devices, FIFOs and sockets are not taken"));
}

}  // namespace jaild::archive
