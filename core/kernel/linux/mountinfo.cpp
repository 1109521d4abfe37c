#include "core/kernel/linux/mountinfo.h"

#include <fcntl.h>

#include <array>
#include <cerrno>

#include "core/base/unique_fd.h"

namespace jaild::kernel {

namespace {

/// The kernel writes space, tab, newline and backslash as three octal digits (seq_path()).
std::string unescape(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    const auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7'; };
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\' && digit(at + 1) && digit(at + 2) && digit(at + 3)) {
            plain += static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0'));
            at += 3;
        } else {
            plain += text[at];
        }
    }
    return plain;
}

std::string_view next_word(std::string_view& line) {
    const auto end = line.find(' ');
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
    return word;
}

/// In one go: thousands of mounts are half a megabyte, and a short read() restarts the kernel's walk.
Result<std::string> read_table() {
    const UniqueFd fd(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
    if (!fd) return std::unexpected(Error::from_errno("open", errno, "/proc/self/mountinfo"));
    std::string table;
    std::array<char, 65536> buffer;
    for (;;) {
        const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected(Error::from_errno("read", errno, "/proc/self/mountinfo"));
        if (got == 0) return table;
        table.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

}  // namespace

bool MountEntry::read_only() const {
    return options == "ro" || options.starts_with("ro,");  // the kernel shows it first
}

std::string MountEntry::source() const {
    auto text = unescape(device);
    if (root != "/") text.append("[").append(unescape(root)).append("]");
    return text;
}

bool parse_mount(std::string_view line, MountEntry& entry) {
    for (int skipped = 0; skipped < 3; ++skipped) next_word(line);  // id, parent, device number
    entry.root = next_word(line);
    entry.point = unescape(next_word(line));
    entry.options = next_word(line);
    for (;;) {  // optional fields end with a single hyphen
        if (line.empty()) return false;
        if (next_word(line) == "-") break;
    }
    entry.type = next_word(line);
    entry.device = next_word(line);
    entry.super = next_word(line);
    return !entry.point.empty() && !entry.type.empty();
}

Result<void> for_each_mount(const std::function<void(const MountEntry&)>& visit) {
    const auto table = read_table();
    if (!table) return std::unexpected(table.error());
    std::string_view rest = *table;
    MountEntry entry;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        if (parse_mount(rest.substr(0, end), entry)) visit(entry);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return {};
}

}  // namespace jaild::kernel
