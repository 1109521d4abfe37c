#include "core/kernel/linux/shared_etc.h"

#include <sys/stat.h>

#include "core/base/files.h"
#include "core/kernel/linux/host_etc.h"

namespace jaild::kernel {

Result<void> SharedEtc::refresh() {
    const std::lock_guard lock(mutex_);
    std::array<std::int64_t, 4> now{};
    struct stat alternatives {};
    struct stat certificates {};
    if (::stat("/etc/alternatives", &alternatives) == 0) {
        now[0] = alternatives.st_mtim.tv_sec;
        now[1] = alternatives.st_mtim.tv_nsec;
    }
    if (::stat("/etc/ssl/certs", &certificates) == 0) {
        now[2] = certificates.st_mtim.tv_sec;
        now[3] = certificates.st_mtim.tv_nsec;
    }
    if (now == seen_) return {};
    const auto host = files::open_directory("/etc");
    if (!host) return std::unexpected(host.error());
    const auto state = files::open_directory(directory_.parent_path());
    if (!state) return std::unexpected(state.error());
    const auto own = files::make_directories(state->get(), directory_.filename(), 0755);
    if (!own) return std::unexpected(own.error());
    if (auto copied = copy_shared_etc(host->get(), own->get()); !copied) return copied;
    seen_ = now;
    return {};
}

}  // namespace jaild::kernel
