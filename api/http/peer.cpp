#include "api/http/peer.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#ifdef __FreeBSD__
#include <pwd.h>
#include <sys/ucred.h>
#include <sys/un.h>
#endif

namespace jaild::api {
namespace {

struct Peer {
    uid_t uid = 0;
    std::vector<gid_t> groups;  ///< primary and supplementary
    bool has_more = false;      ///< groups than the kernel tells
};

#ifdef __FreeBSD__

constexpr std::size_t kMaxBuffer = 1024 * 1024;

/// The groups that the user database gives to `uid`: for processes with more than the kernel's answer holds.
void add_groups_of_user(uid_t uid, std::vector<gid_t>& groups) {
    std::vector<char> buffer(4096);
    passwd entry{};
    passwd* found = nullptr;
    while (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == ERANGE && buffer.size() < kMaxBuffer)
        buffer.resize(buffer.size() * 2);
    if (!found) return;
    const auto limit = std::max(sysconf(_SC_NGROUPS_MAX), 16L) + 1;
    std::vector<gid_t> more(static_cast<std::size_t>(limit));
    int count = static_cast<int>(more.size());
    if (getgrouplist(found->pw_name, found->pw_gid, more.data(), &count) != 0) return;
    groups.insert(groups.end(), more.begin(), more.begin() + count);
}

/// unix(4), LOCAL_PEERCRED: credentials of the process at the time of its connect(2).
Result<Peer> read_peer(int socket) {
    xucred credentials{};
    socklen_t length = sizeof credentials;
    if (getsockopt(socket, SOL_LOCAL, LOCAL_PEERCRED, &credentials, &length) != 0)
        return std::unexpected(Error::from_errno("getsockopt", errno, "LOCAL_PEERCRED"));
    const auto count = std::min<int>(credentials.cr_ngroups, XU_NGROUPS);
    Peer peer{.uid = credentials.cr_uid, .groups{credentials.cr_groups, credentials.cr_groups + count}};
    peer.has_more = count == XU_NGROUPS;
    return peer;
}

#else

constexpr std::size_t kMaxGroups = 65536;  // Linux's NGROUPS_MAX

/// Never needed: the kernel tells all.
void add_groups_of_user(uid_t, std::vector<gid_t>&) {}

/// unix(7), SO_PEERCRED and SO_PEERGROUPS: credentials of the process at the time of its connect(2).
Result<Peer> read_peer(int socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return std::unexpected(Error::from_errno("getsockopt", errno, "SO_PEERCRED"));
    Peer peer{.uid = credentials.uid, .groups = std::vector<gid_t>(64)};
    while (true) {
        length = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
        if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &length) == 0) break;
        if (errno != ERANGE || peer.groups.size() >= kMaxGroups)
            return std::unexpected(Error::from_errno("getsockopt", errno, "SO_PEERGROUPS"));
        peer.groups.resize(peer.groups.size() * 4);
    }
    peer.groups.resize(length / sizeof(gid_t));
    peer.groups.push_back(credentials.gid);
    return peer;
}

#endif

Result<Caller> caller_of(const Peer& peer, std::optional<gid_t> operators) {
    auto principal = fmt::format("uid:{}", peer.uid);
    if (peer.uid == 0 || peer.uid == geteuid()) return Caller{.principal = std::move(principal), .role = Role::admin};
    const bool member = operators && std::find(peer.groups.begin(), peer.groups.end(), *operators) != peer.groups.end();
    if (member) return Caller{.principal = std::move(principal), .role = Role::operator_};
    return std::unexpected(Error{.code = Errc::denied,
                                 .op = "authenticate",
                                 .detail = fmt::format("user {} may not use this socket", peer.uid),
                                 .reason = "peer_refused",
                                 .remedy = "ask as root, or be added to the group \"jaild\" and log in again"});
}

}  // namespace

std::optional<gid_t> find_group(const std::string& name) {
    constexpr std::size_t kMaxEntry = 1024 * 1024;
    std::vector<char> buffer(4096);
    group entry{};
    group* found = nullptr;
    while (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == ERANGE &&
           buffer.size() < kMaxEntry)
        buffer.resize(buffer.size() * 2);
    if (!found) return std::nullopt;
    return found->gr_gid;
}

std::optional<Result<Caller>> caller_of_peer(int socket, std::optional<gid_t> operators) {
    auto peer = read_peer(socket);
    if (!peer) return std::unexpected(peer.error());
    auto caller = caller_of(*peer, operators);
    if (!caller && peer->has_more && operators) return std::nullopt;
    return caller;
}

Result<Caller> caller_of_peer_by_database(int socket, std::optional<gid_t> operators) {
    auto peer = read_peer(socket);
    if (!peer) return std::unexpected(peer.error());
    if (peer->has_more) add_groups_of_user(peer->uid, peer->groups);
    return caller_of(*peer, operators);
}

}  // namespace jaild::api
