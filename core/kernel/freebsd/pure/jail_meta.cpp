#include "core/kernel/freebsd/pure/jail_meta.h"

#include "core/kernel/names.h"

namespace jaild::kernel::freebsd {
namespace {

constexpr std::string_view kOwner = "jaild.owner=";

}  // namespace

std::string jail_meta(const InstanceId& instance, JailId id) {
    return std::string(kOwner) + jail_mark(instance, id);
}

MetaSays read_jail_meta(std::string_view meta, const InstanceId& instance, JailId id) {
    while (!meta.empty()) {
        const auto end = meta.find('\n');
        const auto line = meta.substr(0, end);
        if (line.starts_with(kOwner)) return line == jail_meta(instance, id) ? MetaSays::ours : MetaSays::theirs;
        meta.remove_prefix(end == std::string_view::npos ? meta.size() : end + 1);
    }
    return MetaSays::nothing;
}

}  // namespace jaild::kernel::freebsd
