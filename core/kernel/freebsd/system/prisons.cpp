#include "core/kernel/freebsd/system/prisons.h"

#include <sys/param.h>
// after <sys/param.h>
#include <sys/jail.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/kernel/freebsd/system/parameter_sysctl.h"
#include "core/kernel/freebsd/system/sysctl.h"

namespace jaild::kernel::freebsd {
namespace {

/// jail(3) has the same: JAIL_ERRMSGLEN.
constexpr std::size_t kMessageLength = 1024;

/// For more addresses than a jail may have by default, security.jail.jail_max_af_ips.
constexpr std::size_t kListRoom = 1024 * 16;

bool is_list(ParameterKind kind) {
    return kind == ParameterKind::ipv4_list || kind == ParameterKind::ipv6_list;
}

iovec part(void* base, std::size_t size) {
    return iovec{.iov_base = base, .iov_len = size};
}

/// jail_get(2) and jail_set(2) only read names and strings, but take no pointer to const.
iovec text_part(const char* text) {
    return part(const_cast<char*>(text), std::strlen(text) + 1);
}

/// The longest that `meta` of any jail is, with its NUL; 0: this kernel has none.
Result<std::size_t> meta_size() {
    const auto type = ask_parameter_type("meta");
    if (!type) return std::unexpected(type.error());
    return *type && (*type)->kind == ParameterKind::text ? (*type)->size : 0;
}

/// What can be asked of this kernel's jails.
struct Known {
    std::size_t meta = 0;  ///< meta_size()
    bool vnet = false;
};
Result<Known> known() {
    const auto meta = meta_size();
    if (!meta) return std::unexpected(meta.error());
    const auto vnet = ask_parameter_type(kVnet);
    if (!vnet) return std::unexpected(vnet.error());
    return Known{.meta = *meta, .vnet = vnet->has_value()};
}

/// Asks for one jail by `key` and `value`; nothing when there is none (any more).
Result<std::optional<Prison>> get(const char* key, iovec value, int flags, const Known& asked) {
    std::string meta(asked.meta, '\0');
    std::array<char, MAXHOSTNAMELEN> name{};
    std::array<char, MAXPATHLEN> path{};
    std::array<char, MAXHOSTNAMELEN> hostname{};
    int dying = 0;
    int vnet = 0;
    const bool by_name = std::strcmp(key, "name") == 0;
    std::vector<iovec> parameters{text_part(key),
                                  value,
                                  text_part("path"),
                                  part(path.data(), path.size()),
                                  text_part("host.hostname"),
                                  part(hostname.data(), hostname.size()),
                                  text_part("dying"),
                                  part(&dying, sizeof dying)};
    if (!by_name) {
        parameters.push_back(text_part("name"));
        parameters.push_back(part(name.data(), name.size()));
    }
    // What a kernel does not know it refuses.
    if (asked.vnet) {
        parameters.push_back(text_part(kVnet));
        parameters.push_back(part(&vnet, sizeof vnet));
    }
    if (!meta.empty()) {
        parameters.push_back(text_part("meta"));
        parameters.push_back(part(meta.data(), meta.size()));
    }
    const int jid = ::jail_get(parameters.data(), static_cast<unsigned>(parameters.size()), flags);
    if (jid < 0 && errno == ENOENT) return std::nullopt;
    if (jid < 0) return std::unexpected(Error::from_errno("jail_get", errno, key));
    return Prison{.jid = jid,
                  .name = by_name ? static_cast<const char*>(value.iov_base) : name.data(),
                  .path = path.data(),
                  .hostname = hostname.data(),
                  .meta = meta.c_str(),
                  .dying = dying != 0,
                  .vnet = vnet == static_cast<int>(JailSys::create)};
}

}  // namespace

Result<std::vector<Prison>> prisons() {
    const auto asked = known();
    if (!asked) return std::unexpected(asked.error());
    std::vector<Prison> all;
    for (int last = 0;;) {
        auto next = get("lastjid", part(&last, sizeof last), JAIL_DYING, *asked);
        if (!next) return std::unexpected(next.error());
        if (!*next) return all;
        last = (*next)->jid;
        const bool within_a_jail = (*next)->name.find('.') != std::string::npos;
        if (!within_a_jail) all.push_back(std::move(**next));
    }
}

Result<std::optional<Prison>> prison_named(const std::string& name) {
    // The kernel writes its own spelling of the name back: never longer than what it found by it.
    std::array<char, MAXHOSTNAMELEN> text{};
    if (name.size() >= text.size()) return std::nullopt;
    std::memcpy(text.data(), name.data(), name.size());
    const auto asked = known();
    if (!asked) return std::unexpected(asked.error());
    return get("name", part(text.data(), name.size() + 1), 0, *asked);
}

bool is_still(const JailReference& jail) {
    int jid = jail.jid;
    const auto now = get("jid", part(&jid, sizeof jid), 0, {});
    return now && *now && !(*now)->dying && (*now)->name == jail.name && (*now)->path == jail.path;
}

Result<std::size_t> meta_room() {
    const auto size = meta_size();
    if (!size || *size == 0) return size;
    // An admin may have lowered it below what jails have already.
    const auto most = sysctl::number("security.jail.meta_maxbufsize");
    if (!most) return std::unexpected(most.error());
    return std::min(*size, static_cast<std::size_t>(std::max(most->value_or(0), 0)));
}

Result<int> set_jail(const Parameters& parameters, int flags) {
    auto encoded = encode(parameters);
    std::array<char, kMessageLength> message{};
    std::vector<iovec> vectors;
    for (auto& [name, value] : encoded) {
        vectors.push_back(part(name.data(), name.size()));
        vectors.push_back(value ? part(value->data(), value->size()) : part(nullptr, 0));
    }
    vectors.push_back(text_part("errmsg"));
    vectors.push_back(part(message.data(), message.size() - 1));
    const int jid = ::jail_set(vectors.data(), static_cast<unsigned>(vectors.size()), flags);
    if (jid >= 0) return jid;
    const int saved = errno;
    auto error = Error::from_errno("jail_set", saved, message.data());
    if (saved == EEXIST) {
        error.code = Errc::conflict;
        error.reason = "name_in_use";
    }
    return std::unexpected(std::move(error));
}

Result<model::Parameters> get_parameters(int jid, const std::vector<std::pair<std::string, KnownParameter>>& wanted) {
    std::vector<std::string> values;
    std::vector<iovec> vectors{text_part("jid"), part(&jid, sizeof jid)};
    std::vector<std::size_t> places;  // of each value in there
    values.reserve(wanted.size());    // the iovecs point into them
    for (const auto& [name, known] : wanted) {
        // A value of another size than the kernel's is refused, but for lists: those have to fit.
        const bool list = is_list(known.type.kind);
        if (known.type.size == 0 && !list) continue;
        values.emplace_back(list ? kListRoom : known.type.size, '\0');
        places.push_back(vectors.size() + 1);
        vectors.push_back(text_part(known.name.c_str()));
        vectors.push_back(part(values.back().data(), values.back().size()));
    }
    std::array<char, kMessageLength> message{};
    vectors.push_back(text_part("errmsg"));
    vectors.push_back(part(message.data(), message.size() - 1));
    model::Parameters found;
    if (::jail_get(vectors.data(), static_cast<unsigned>(vectors.size()), 0) < 0) {
        if (errno == ENOENT) return found;
        return std::unexpected(Error::from_errno("jail_get", errno, message.data()));
    }
    std::size_t at = 0;
    for (const auto& [name, known] : wanted) {
        if (known.type.size == 0 && !is_list(known.type.kind)) continue;
        // The kernel says how long a list is (vfs_setopt_part).
        if (is_list(known.type.kind)) values[at].resize(std::min(values[at].size(), vectors[places[at]].iov_len));
        if (auto read = from_kernel(known, values[at])) found.emplace(name, *std::move(read));
        ++at;
    }
    return found;
}

Result<void> remove_jail(int jid) {
    if (::jail_remove(jid) == 0 || errno == EINVAL) return {};
    return std::unexpected(Error::from_errno("jail_remove", errno, std::to_string(jid)));
}

}  // namespace jaild::kernel::freebsd
