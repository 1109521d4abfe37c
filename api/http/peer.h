#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/caller.h"

namespace jaild::api {

/// The gid of a group by its name; nothing when there is no such group. Blocking (NSS).
std::optional<gid_t> find_group(const std::string& name);

/// Who connected to a UNIX socket, as its kernel says: uid 0, and the user that jaild itself runs as (he could trace
/// jaild anyway), are admins; a process that has `operators` among its groups is an operator. Anyone else: Errc::denied
/// "peer_refused". Never blocks. Nothing where the kernel tells some of the process's groups only, and they do not
/// decide: FreeBSD, more than 15 groups.
std::optional<Result<Caller>> caller_of_peer(int socket, std::optional<gid_t> operators);
/// The same with the groups that the user database knows: for when that has no answer. Blocking (NSS).
Result<Caller> caller_of_peer_by_database(int socket, std::optional<gid_t> operators);

}  // namespace jaild::api
