// jaild-inside: what has to be done by a process within a jail, for jaild, which never forks.
//
//   jaild-inside make PARAMETER…                 a jail, complete and persistent: "jid=5"
//   jaild-inside look JID NAME PATH …            one line for each jail that is there
//   jaild-inside ensure JID NAME PATH FIELD=…    the inner side of a jail's link, and its line
//   jaild-inside destroy JID NAME PATH LINK      one of the jail's pairs, and the jail's line
//   jaild-inside lease JID NAME PATH INTERFACE MARK CONFIGURATION
//                                                a DHCP client in the jail, which stays
//
// The texts are core/kernel/freebsd/pure/inside_text.h's. On standard output is the answer, or one line that begins
// with "error", and then the exit code is 1.
#include <cstdio>
#include <exception>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/kernel/freebsd/pure/inside_text.h"
#include "core/kernel/freebsd/pure/jail_parameters.h"
#include "daemon/inside/client.h"
#include "daemon/inside/enter.h"
#include "daemon/inside/link.h"
#include "daemon/inside/make_jail.h"

namespace jaild::inside {
namespace {

using namespace kernel::freebsd;
using Arguments = std::span<const std::string>;

constexpr Milliseconds kLookPatience{2'000};
constexpr Milliseconds kPatience{20'000};

Error usage() {
    return Error{
        .code = Errc::invalid, .op = "jaild-inside", .detail = "make, look, ensure, destroy or lease, asked by jaild"};
}

Result<std::string> run_make(Arguments arguments) {
    Parameters parameters;
    for (const auto& argument : arguments) {
        auto parameter = parse_argument(argument);
        if (!parameter) return std::unexpected(parameter.error());
        parameters.push_back(*std::move(parameter));
    }
    const auto jid = make_jail(parameters);
    if (!jid) return std::unexpected(jid.error());
    return jid_text(*jid);
}

Result<std::string> run_look(Arguments arguments) {
    const auto jails = parse_jails(arguments);
    if (!jails) return std::unexpected(jails.error());
    std::string text;
    for (const auto& jail : *jails) {
        auto line = visit(jail, kLookPatience, [&]() -> Result<std::string> {
            const auto view = look(jail.jid);
            if (!view) return std::unexpected(view.error());
            return to_text(*view);
        });
        // It went away meanwhile, or its root stopped or killed the process that looks: nothing is known of it, and
        // nobody else is kept waiting. What is wrong is said when its link is set up next.
        if (line) text += *line;
    }
    return text;
}

/// Does the work in a jail and answers what is there then.
Result<std::string> change(Arguments arguments, const std::function<Result<void>()>& work) {
    if (arguments.size() != 3) return std::unexpected(usage());
    const auto jails = parse_jails(arguments);
    if (!jails) return std::unexpected(jails.error());
    const auto& jail = jails->front();
    return visit(jail, kPatience, [&]() -> Result<std::string> {
        if (auto done = work(); !done) return std::unexpected(done.error());
        const auto view = look(jail.jid);
        if (!view) return std::unexpected(view.error());
        return to_text(*view);
    });
}

Result<std::string> run_ensure(Arguments arguments) {
    if (arguments.size() < 3) return std::unexpected(usage());
    const auto link = parse_link(arguments.subspan(3));
    if (!link) return std::unexpected(link.error());
    return change(arguments.first(3), [&] { return ensure_link(*link); });
}

Result<std::string> run_destroy(Arguments arguments) {
    if (arguments.size() != 4) return std::unexpected(usage());
    const auto index = parse_link_index(arguments.back());
    if (!index) return std::unexpected(index.error());
    return change(arguments.first(3), [&] { return destroy_link(*index); });
}

Result<std::string> run_lease(Arguments arguments) {
    if (arguments.size() != 6) return std::unexpected(usage());
    const auto jails = parse_jails(arguments.first(3));
    if (!jails) return std::unexpected(jails.error());
    const auto started = start_client(
        jails->front(), {.interface = arguments[3], .mark = arguments[4], .configuration = arguments[5]}, kPatience);
    if (!started) return std::unexpected(started.error());
    return std::string();
}

Result<std::string> run(Arguments arguments) {
    if (arguments.empty()) return std::unexpected(usage());
    const auto& verb = arguments.front();
    const auto rest = arguments.subspan(1);
    if (verb == "make") return run_make(rest);
    if (verb == "look") return run_look(rest);
    if (verb == "ensure") return run_ensure(rest);
    if (verb == "destroy") return run_destroy(rest);
    if (verb == "lease") return run_lease(rest);
    return std::unexpected(usage());
}

}  // namespace
}  // namespace jaild::inside

int main(int argc, char** argv) {
    try {
        const std::vector<std::string> arguments(argv + 1, argv + argc);
        const auto answer = jaild::inside::run(arguments);
        const auto text = answer ? *answer : jaild::kernel::freebsd::to_text(answer.error());
        std::fputs(text.c_str(), stdout);
        return answer && std::fflush(stdout) == 0 ? 0 : 1;
    } catch (const std::exception& caught) {
        std::fprintf(stderr, "jaild-inside: %s\n", caught.what());
        return 1;
    }
}
