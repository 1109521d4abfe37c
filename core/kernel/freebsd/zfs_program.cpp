#include "core/kernel/freebsd/zfs_program.h"

#include <algorithm>

namespace jaild::kernel::freebsd {
namespace {

constexpr Milliseconds kZfsProgramTimeout{60'000};

}  // namespace

Result<std::string> run_zfs(const Argv& argv) {
    auto done = run(argv, {.timeout = kZfsProgramTimeout, .output_limit = 16 << 20});
    if (!done) return std::unexpected(done.error());
    if (done->exit_code == 0) return std::move(done->output);
    std::string said = done->error_output;
    while (!said.empty() && said.back() == '\n') said.pop_back();
    std::ranges::replace(said, '\n', ' ');
    return std::unexpected(
        Error{.code = Errc::kernel, .op = "zfs", .detail = argv[1] + ": " + said, .reason = "zfs_failed"});
}

bool says(const Error& error, std::string_view words) {
    return error.detail.find(words) != std::string::npos;
}

}  // namespace jaild::kernel::freebsd
