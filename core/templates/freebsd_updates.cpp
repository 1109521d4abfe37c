#include "core/templates/freebsd_updates.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace jaild::templates::freebsd {

Result<std::string> userland_version(std::string_view script) {
    constexpr std::string_view kName = "USERLAND_VERSION=";
    while (!script.empty()) {
        const auto end = std::min(script.find('\n'), script.size());
        auto line = script.substr(0, end);
        script.remove_prefix(std::min(end + 1, script.size()));
        if (!line.starts_with(kName)) continue;
        line.remove_prefix(kName.size());
        if (line.size() >= 2 && line.front() == '"' && line.back() == '"') line = line.substr(1, line.size() - 2);
        const auto fits = [](char c) { return is_alphanumeric(c) || c == '.' || c == '-'; };
        // freebsd-update(8) is a shell script: it gets nothing that a shell could take for something else.
        if (!line.empty() && line.size() <= 64 && is_alphanumeric(line.front()) && std::ranges::all_of(line, fits))
            return std::string(line);
    }
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "update",
                                 .detail = "/bin/freebsd-version of the template names no release",
                                 .reason = "release_unknown",
                                 .field = {},
                                 .remedy = "name a program that updates it: jaild.toml(5), template_update"});
}

Argv freebsd_update(const std::filesystem::path& root, const std::filesystem::path& work, const std::string& version) {
    return {"freebsd-update",      "-b",    root,    "-d",     work, "--not-running-from-cron",
            "--currently-running", version, "fetch", "install"};
}

Argv find_pkgbase(const std::filesystem::path& root) {
    return {"pkg", "-r", root, "which", "-q", "/usr/bin/uname"};
}

Argv pkgbase_upgrade(const std::filesystem::path& root) {
    return {"pkg", "-r", root, "upgrade", "-y", "-r", "FreeBSD-base"};
}

}  // namespace jaild::templates::freebsd
