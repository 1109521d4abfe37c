#pragma once

#include <string>
#include <string_view>

#include "core/base/ids.h"

/// `meta` of FreeBSD 15's jail(8): lines of "key=value" that belong to a jail, and that nobody within can see or
/// change. One line is our mark, the others are the host's admin's. Pure.
namespace jaild::kernel::freebsd {

/// "jaild.owner=jaild:k3f9a:jail:12": what a new jail of ours has. Shown by jls -j NAME meta.
std::string jail_meta(const InstanceId& instance, JailId id);

enum class MetaSays {
    nothing,  ///< of jaild: an older kernel, or somebody took the line away
    ours,
    theirs,  ///< another jail's mark, or another installation's
};
/// By the first line with our key: the kernel itself keeps no key twice.
MetaSays read_jail_meta(std::string_view meta, const InstanceId& instance, JailId id);

}  // namespace jaild::kernel::freebsd
