#include "core/kernel/roots/hosts_file.h"

#include <fcntl.h>

#include <algorithm>
#include <sstream>

#include "core/base/files.h"
#include "core/kernel/roots/place.h"

namespace jaild::kernel::hosts_file {
namespace {

constexpr std::string_view kName = "hosts";
constexpr std::string_view kBegin = "# jaild keeps the lines from here on; write your own outside of them.\n";
constexpr std::string_view kEnd = "# End of jaild's lines.\n";
constexpr IpAddress kLoopback{.family = Family::ipv4, .bytes = {127, 0, 0, 1}};
/// What earlier versions wrote was all theirs, without an end.
constexpr std::string_view kOldNotice = "# Written by jaild at each start of this jail.\n";

void add_line(std::ostringstream& text, const IpAddress& address, const std::vector<std::string>& names) {
    text << address.to_string() << '\t';
    for (std::size_t i = 0; i < names.size(); ++i) text << (i == 0 ? "" : " ") << names[i];
    text << '\n';
}

/// Whole lines, none of which is a mark of ours.
void add_lines(std::ostringstream& text, std::string_view lines) {
    while (!lines.empty()) {
        const auto end = std::min(lines.find('\n'), lines.size() - 1) + 1;
        std::string line(lines.substr(0, end));
        lines.remove_prefix(end);
        if (!line.ends_with('\n')) line += '\n';
        if (line != kBegin && line != kEnd) text << line;
    }
}

/// What the host's own file says, for a jail whose network stack that is.
std::string hosts_of_host(const RootParameters& parameters) {
    if (parameters.mode != model::NetworkMode::inherit) return {};
    const auto text = files::read("/etc/hosts", kLimit);
    return text ? *text : std::string();
}

/// Where `mark` stands as a whole line, from `from` on.
std::size_t find_line(std::string_view text, std::string_view mark, std::size_t from) {
    for (auto at = text.find(mark, from); at != std::string_view::npos; at = text.find(mark, at + 1))
        if (at == 0 || text[at - 1] == '\n') return at;
    return std::string_view::npos;
}

}  // namespace

std::string block(const RootParameters& parameters, std::string_view host) {
    std::ostringstream text;
    text << kBegin;
    if (host.empty())
        text << "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
    else
        add_lines(text, host);
    std::vector<std::string> own{parameters.hostname};
    if (parameters.name.text() != parameters.hostname) own.push_back(parameters.name.text());
    if (parameters.mode == model::NetworkMode::inherit) add_line(text, kLoopback, own);
    for (const Prefix& address : parameters.addresses) add_line(text, address.address, own);
    for (const auto& neighbour : parameters.neighbours) add_line(text, neighbour.address, neighbour.names);
    text << kEnd;
    return text.str();
}

std::string merged(std::string_view previous, std::string_view block) {
    if (previous.starts_with(kOldNotice)) return std::string(block);
    const auto begin = find_line(previous, kBegin, 0);
    const auto end = begin == std::string_view::npos ? begin : find_line(previous, kEnd, begin);
    if (end == std::string_view::npos) return std::string(block).append(previous);
    return std::string(previous.substr(0, begin)).append(block).append(previous.substr(end + kEnd.size()));
}

Result<void> write(int etc, const RootParameters& parameters) {
    const std::string name(kName);
    const auto previous = files::read(etc, name, kLimit);
    const auto text = merged(previous ? std::string_view(*previous) : std::string_view(),
                             block(parameters, hosts_of_host(parameters)));
    if (previous && *previous == text) return {};
    return place::file(etc, name, text, 0644);
}

Result<void> write_beneath(int root, const RootParameters& parameters) {
    const auto etc = files::open_beneath(root, "etc", O_RDONLY | O_DIRECTORY);
    if (!etc) return std::unexpected(etc.error());
    return write(etc->get(), parameters);
}

}  // namespace jaild::kernel::hosts_file
