#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/error.h"
#include "core/base/units.h"

/// What lies on the net, by the host's own program: curl(1) on Linux, fetch(1) on FreeBSD. Blocking.
namespace jaild::templates {

struct DownloadLimits {
    std::uint64_t bytes = 0;           ///< the most that may come
    Milliseconds stall{60'000};        ///< within this time at least `stall_bytes` come, or it ends
    std::uint64_t stall_bytes = 1024;  ///< no less than this in `stall`
    Milliseconds longest{6 * 3'600'000};
};

/// `done` bytes of `total`, which is 0 while nobody knows it.
using DownloadWatch = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Writes what is found at `url` (http or https) to the open and empty `file`; how many bytes that are. Redirections
/// are followed, a few, and from https to http never where the program can be told so. Proxies are those of jaild's
/// environment (http_proxy, https_proxy, no_proxy). `interrupted` is asked several times a second.
/// Errc::invalid "download_failed" with what the program said (no such host, a status, a certificate, a body that was
/// cut short), "download_stalled", "archive_too_large"; Errc::unsupported "downloads_unavailable" where there is no
/// such program; Errc::exhausted "disk_full"; Errc::conflict "interrupted".
Result<std::uint64_t> download(const std::string& url, int file, const DownloadLimits& limits,
                               const DownloadWatch& watch, const std::function<bool()>& interrupted);

}  // namespace jaild::templates
