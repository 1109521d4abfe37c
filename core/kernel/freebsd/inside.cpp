#include "core/kernel/freebsd/inside.h"

#include <algorithm>

namespace jaild::kernel::freebsd {
namespace {

/// So many jails in one process: far from what execve(2) takes, and the longest wait for one that does not answer
/// stays bounded.
constexpr std::size_t kJailsAtOnce = 32;
/// jaild-inside gives each jail two seconds to be looked at.
constexpr Milliseconds kLookTimeout{80'000};

void append(Argv& to, std::vector<std::string> more) {
    to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

Result<std::string> Inside::ask(Argv arguments) const {
    arguments.insert(arguments.begin(), program_.string());
    RunOptions options;
    options.timeout = kLookTimeout;
    auto done = run(arguments, options);
    if (!done) return std::unexpected(done.error());
    if (done->exit_code == 0) return std::move(done->output);
    if (done->output.empty())
        return std::unexpected(
            Error{.code = Errc::kernel,
                  .op = "jaild-inside",
                  .detail = "exit code " + std::to_string(done->exit_code) + ": " + done->error_output,
                  .reason = "helper_failed"});
    return std::unexpected(parse_error(done->output));
}

Result<InsideView> Inside::ask_for_one(Argv arguments) const {
    const auto text = ask(std::move(arguments));
    if (!text) return std::unexpected(text.error());
    auto views = parse_views(*text);
    if (!views) return std::unexpected(views.error());
    if (views->size() == 1) return std::move(views->front());
    return std::unexpected(Error{.code = Errc::corrupt, .op = "jaild-inside", .detail = "one jail was asked for"});
}

Result<int> Inside::make(const Parameters& parameters) const {
    Argv arguments{"make"};
    for (const auto& parameter : parameters) arguments.push_back(to_argument(parameter));
    const auto text = ask(std::move(arguments));
    if (!text) return std::unexpected(text.error());
    return parse_jid_text(*text);
}

Result<std::vector<InsideView>> Inside::look(const std::vector<JailReference>& jails) const {
    std::vector<InsideView> all;
    for (std::size_t from = 0; from < jails.size(); from += kJailsAtOnce) {
        Argv arguments{"look"};
        for (std::size_t at = from; at < std::min(from + kJailsAtOnce, jails.size()); ++at)
            append(arguments, to_arguments(jails[at]));
        const auto text = ask(std::move(arguments));
        if (!text) return std::unexpected(text.error());
        auto views = parse_views(*text);
        if (!views) return std::unexpected(views.error());
        all.insert(all.end(), std::make_move_iterator(views->begin()), std::make_move_iterator(views->end()));
    }
    return all;
}

Result<InsideView> Inside::ensure(const JailReference& jail, const InsideLink& link) const {
    Argv arguments{"ensure"};
    append(arguments, to_arguments(jail));
    append(arguments, to_arguments(link));
    return ask_for_one(std::move(arguments));
}

Result<void> Inside::destroy(const JailReference& jail, unsigned index) const {
    Argv arguments{"destroy"};
    append(arguments, to_arguments(jail));
    arguments.push_back(std::to_string(index));
    const auto view = ask_for_one(std::move(arguments));
    if (!view && view.error().reason == "jail_not_found") return {};  // and its pair with it
    if (!view) return std::unexpected(view.error());
    return {};
}

Result<void> Inside::start_client(const JailReference& jail, const DhcpClient& client) const {
    Argv arguments{"lease"};
    append(arguments, to_arguments(jail));
    append(arguments, {client.interface, client.mark, client.configuration});
    const auto done = ask(std::move(arguments));
    return done ? Result<void>{} : std::unexpected(done.error());
}

}  // namespace jaild::kernel::freebsd
