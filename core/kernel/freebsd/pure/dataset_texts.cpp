#include "core/kernel/freebsd/pure/dataset_texts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "core/base/ascii.h"
#include "core/kernel/freebsd/pure/zfs_rows.h"

namespace jaild::kernel::freebsd::zfs {
namespace {

constexpr std::size_t kMaxName = 200;  ///< ZFS_MAX_DATASET_NAME_LEN is 256; the jail's part and a snapshot's follow

struct Seen {
    std::string owner;
    bool jailed = true;
};

bool is_component(std::string_view text) {
    return !text.empty() &&
           std::ranges::all_of(
               text, [](char c) { return is_alphanumeric(c) || c == '_' || c == '-' || c == ':' || c == '.'; }) &&
           text != "." && text != "..";
}

/// Those with an owner of their own.
Result<std::map<std::string, Seen>> parse(std::string_view output) {
    const auto rows = rows_of(output);
    if (!rows) return std::unexpected(rows.error());
    std::map<std::string, Seen> all;
    for (const auto& [name, property, value, source] : *rows) {
        auto& seen = all[std::string(name)];
        if (property == kOwnerProperty && source == "local") seen.owner = value;
        if (property == "jailed") seen.jailed = value != "off";
    }
    return all;
}

/// What each kind of object has in its name and in its mark.
template <class T>
struct Words;
template <>
struct Words<JailId> {
    static constexpr std::string_view infix = "-";
    static constexpr std::string_view kind = ":jail:";
};
template <>
struct Words<TemplateId> {
    static constexpr std::string_view infix = "-t";
    static constexpr std::string_view kind = ":template:";
};

template <class T>
std::string prefix_of(const std::string& parent, const InstanceId& instance) {
    return parent + "/" + instance.text() + std::string(Words<T>::infix);
}

template <class T>
std::string owner_of(const InstanceId& instance, T id) {
    return instance.text() + std::string(Words<T>::kind) + std::to_string(id.value);
}

template <class T>
Result<std::vector<T>> ours_of(std::string_view output, const std::string& parent, const InstanceId& instance) {
    const auto all = parse(output);
    if (!all) return std::unexpected(all.error());
    std::vector<T> ours;
    const auto prefix = prefix_of<T>(parent, instance);
    for (const auto& [name, seen] : *all) {
        if (!name.starts_with(prefix) || seen.jailed) continue;
        T id;
        const auto* end = name.data() + name.size();
        const auto parsed = std::from_chars(name.data() + prefix.size(), end, id.value);
        const bool number = parsed.ec == std::errc{} && parsed.ptr == end && id.value > 0;
        if (number && name == prefix + std::to_string(id.value) && seen.owner == owner_of(instance, id))
            ours.push_back(id);
    }
    std::ranges::sort(ours);
    return ours;
}

Argv with_marks(Argv argv, const std::string& owner) {
    for (const auto& property : {std::string("canmount=noauto"), std::string("mountpoint=legacy"),
                                 std::string(kOwnerProperty) + "=" + owner}) {
        argv.emplace_back("-o");
        argv.push_back(property);
    }
    return argv;
}

}  // namespace

std::string dataset(const std::string& parent, const InstanceId& instance, JailId id) {
    return prefix_of<JailId>(parent, instance) + std::to_string(id.value);
}

std::string dataset(const std::string& parent, const InstanceId& instance, TemplateId id) {
    return prefix_of<TemplateId>(parent, instance) + std::to_string(id.value);
}

std::string owner(const InstanceId& instance, JailId id) {
    return owner_of(instance, id);
}

std::string owner(const InstanceId& instance, TemplateId id) {
    return owner_of(instance, id);
}

std::string_view pool_of(std::string_view dataset) {
    return dataset.substr(0, dataset.find('/'));
}

Argv create(const std::string& dataset, const std::string& owner) {
    auto argv = with_marks({"zfs", "create"}, owner);
    argv.push_back(dataset);
    return argv;
}

Argv clone(const std::string& snapshot, const std::string& dataset, const std::string& owner) {
    auto argv = with_marks({"zfs", "clone"}, owner);
    argv.push_back(snapshot);
    argv.push_back(dataset);
    return argv;
}

Argv set(const std::string& dataset, const std::string& property, const std::string& value) {
    return {"zfs", "set", property + "=" + value, dataset};
}

Argv snapshot(const std::string& snapshot) {
    return {"zfs", "snapshot", snapshot};
}

Argv destroy(const std::string& dataset) {
    return {"zfs", "destroy", dataset};
}

Argv list(const std::string& parent) {
    return {"zfs",
            "get",
            "-H",
            "-d",
            "1",
            "-t",
            "filesystem",
            "-o",
            "name,property,value,source",
            std::string(kOwnerProperty) + ",jailed",
            parent};
}

Result<std::vector<JailId>> jails(std::string_view output, const std::string& parent, const InstanceId& instance) {
    return ours_of<JailId>(output, parent, instance);
}

Result<std::vector<TemplateId>> templates(std::string_view output, const std::string& parent,
                                          const InstanceId& instance) {
    return ours_of<TemplateId>(output, parent, instance);
}

Argv get_storage(const std::string& dataset, Depth depth) {
    Argv argv{"zfs", "get", "-Hp", "-t", "filesystem", "-o", "name,property,value,source"};
    if (depth == Depth::children) argv.insert(argv.end(), {"-d", "1"});
    argv.insert(argv.end(), {"refquota,refreservation,compression", dataset});
    return argv;
}

Result<std::map<std::string, model::Storage>> storage_of(std::string_view output) {
    const auto rows = rows_of(output);
    if (!rows) return std::unexpected(rows.error());
    std::map<std::string, model::Storage> all;
    for (const auto& [name, property, value, source] : *rows) {
        auto& storage = all[std::string(name)];
        if (source != "local") continue;
        if (property == "compression") storage.compression = value;
        if (property != "refquota" && property != "refreservation") continue;
        Bytes size;
        const auto* end = value.data() + value.size();
        if (const auto read = std::from_chars(value.data(), end, size.count); read.ec != std::errc{} || read.ptr != end)
            return std::unexpected(Error{.code = Errc::corrupt,
                                         .op = "zfs",
                                         .detail = "zfs get answered with no number: " + std::string(value)});
        (property == "refquota" ? storage.quota : storage.reservation) = size;
    }
    return all;
}

std::vector<Argv> set_storage(const std::string& dataset, const model::Storage& from, const model::Storage& to) {
    const auto text = [](Bytes size) { return size.count == 0 ? std::string("none") : std::to_string(size.count); };
    std::vector<Argv> commands;
    const auto set_reservation = [&] {
        if (from.reservation != to.reservation)
            commands.push_back(set(dataset, "refreservation", text(to.reservation)));
    };
    const bool shrinks = to.reservation <= from.reservation;
    if (shrinks) set_reservation();
    if (from.quota != to.quota) commands.push_back(set(dataset, "refquota", text(to.quota)));
    if (!shrinks) set_reservation();
    if (from.compression != to.compression)
        commands.push_back(to.compression.empty() ? Argv{"zfs", "inherit", "compression", dataset}
                                                  : set(dataset, "compression", to.compression));
    return commands;
}

Result<void> check_name(std::string_view dataset) {
    const auto refused = [&](std::string why) {
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "zfs",
                                     .detail = "\"" + std::string(dataset) + "\" is no dataset: " + std::move(why),
                                     .reason = "invalid_dataset",
                                     .remedy = "name one that exists, such as zroot/jaild: zfs list"});
    };
    if (dataset.size() > kMaxName) return refused("longer than " + std::to_string(kMaxName) + " characters");
    if (dataset.empty() || !is_letter(dataset.front())) return refused("a pool's name begins with a letter");
    for (auto rest = dataset; !rest.empty();) {
        const bool last = rest.find('/') == std::string_view::npos;
        if (!is_component(take_part(rest, '/')))
            return refused("between slashes are letters, digits, \"-\", \"_\", \":\" and \".\"");
        if (!last && rest.empty()) return refused("it ends with a slash");
    }
    return {};
}

}  // namespace jaild::kernel::freebsd::zfs
