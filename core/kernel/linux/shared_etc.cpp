#include "core/kernel/linux/shared_etc.h"

#include <sys/stat.h>

#include <cerrno>

#include "core/base/files.h"
#include "core/kernel/linux/host_etc.h"

namespace jaild::kernel {

namespace {

/// When the directory was last changed, seconds and nanoseconds; 0 when there is none.
Result<std::array<std::int64_t, 2>> changed(const char* directory) {
    struct stat seen {};
    if (::stat(directory, &seen) == 0) return std::array<std::int64_t, 2>{seen.st_mtim.tv_sec, seen.st_mtim.tv_nsec};
    if (errno == ENOENT || errno == ENOTDIR) return std::array<std::int64_t, 2>{};
    return std::unexpected(Error::from_errno("stat", errno, directory));
}

}  // namespace

Result<void> SharedEtc::refresh() {
    const std::lock_guard lock(mutex_);
    const auto alternatives = changed("/etc/alternatives");
    if (!alternatives) return std::unexpected(alternatives.error());
    const auto certificates = changed("/etc/ssl/certs");
    if (!certificates) return std::unexpected(certificates.error());
    const std::array<std::int64_t, 4> now{(*alternatives)[0], (*alternatives)[1], (*certificates)[0],
                                          (*certificates)[1]};
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
