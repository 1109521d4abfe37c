#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/model/datasets.h"
#include "core/model/fields.h"
#include "core/model/jail_spec.h"
#include "core/model/mount_spec.h"
#include "core/model/text_rules.h"

namespace jaild::model {

using nlohmann::json;

namespace {

constexpr std::array kTypes{std::pair(MountType::nullfs, std::string_view("nullfs")),
                            std::pair(MountType::tmpfs, std::string_view("tmpfs")),
                            std::pair(MountType::devfs, std::string_view("devfs")),
                            std::pair(MountType::fdescfs, std::string_view("fdescfs")),
                            std::pair(MountType::procfs, std::string_view("procfs")),
                            std::pair(MountType::linprocfs, std::string_view("linprocfs")),
                            std::pair(MountType::linsysfs, std::string_view("linsysfs")),
                            std::pair(MountType::zfs, std::string_view("zfs"))};
constexpr std::uint64_t kLeastSize = 4096;  ///< one page

Result<MountType> parse_type(const json& value, const std::string& at) {
    const auto text = read_text(value, at, kWordBytes);
    if (!text) return std::unexpected(text.error());
    std::string all;
    for (const auto& [type, word] : kTypes) {
        if (word == *text) return type;
        all += (all.empty() ? "" : ", ") + std::string(word);
    }
    return std::unexpected(Error::invalid("invalid_value", at, "must be one of " + all));
}

Result<void> parse_option(const json& value, const std::string& at, MountSpec& mount) {
    const auto text = read_text(value, at, kWordBytes);
    if (!text) return std::unexpected(text.error());
    for (const auto& [word, flag] : {std::pair("ro", &MountSpec::read_only), std::pair("noexec", &MountSpec::no_exec),
                                     std::pair("nosuid", &MountSpec::no_suid)})
        if (*text == word) {
            mount.*flag = true;
            return {};
        }
    return std::unexpected(Error::invalid("invalid_value", at, R"(must be "ro", "noexec" or "nosuid")"));
}

Result<Bytes> parse_size(const json& value, const std::string& at) {
    if (value.is_number_unsigned()) {
        if (const Bytes size{value.get<std::uint64_t>()}; size.count >= kLeastSize) return size;
    } else if (value.is_string()) {
        auto size = Bytes::parse(value.get_ref<const std::string&>());
        if (size && size->count >= kLeastSize) return size;
    }
    return std::unexpected(Error::invalid("invalid_value", at, "a size of at least 4K: \"64M\", \"1G\""));
}

void check_source(Fields& fields, const MountSpec& mount) {
    const auto at = fields.at("source");
    if (!mount.shows_host()) {
        if (!mount.source.empty())
            fields.fail(Error::invalid("field_not_applicable", at, "only nullfs and zfs are mounted from somewhere"));
        return;
    }
    fields.require("source");
    if (mount.type == MountType::zfs) {
        if (!is_dataset_name(mount.source))
            fields.fail(Error::invalid("invalid_value", at, "must be a dataset's name"));
    } else if (auto good = check_path(mount.source, RootPath::refused, at); !good) {
        fields.fail(good.error());
    }
}

/// The jail's own /dev is what its devfs_ruleset says.
void check_target(Fields& fields, const MountSpec& mount) {
    const auto at = fields.at("target");
    fields.require("target");
    if (auto good = check_path(mount.target, RootPath::refused, at); !good)
        fields.fail(good.error());
    else if (mount.target == "/dev" || mount.target.starts_with("/dev/"))
        fields.fail(Error::invalid("invalid_value", at, "the jail's /dev is jaild's to mount"));
}

Result<void> parse_mount(const json& value, const std::string& at, std::vector<MountSpec>& mounts) {
    MountSpec mount;
    Fields fields(value, at);
    fields.read("type", [&](const json& type, const std::string& where) -> Result<void> {
        const auto parsed = parse_type(type, where);
        if (!parsed) return std::unexpected(parsed.error());
        mount.type = *parsed;
        return {};
    });
    fields.text("source", mount.source, SpecLimits::path_bytes);
    check_source(fields, mount);
    fields.text("target", mount.target, SpecLimits::path_bytes);
    check_target(fields, mount);
    fields.each("options", SpecLimits::mount_options,
                [&](const json& option, const std::string& where) { return parse_option(option, where, mount); });
    fields.boolean("create", mount.create);
    if (mount.create && mount.type != MountType::nullfs)
        fields.fail(
            Error::invalid("field_not_applicable", fields.at("create"), "only a directory of the host is made"));
    fields.read("size", [&](const json& size, const std::string& where) -> Result<void> {
        if (mount.type != MountType::tmpfs)
            return std::unexpected(Error::invalid("field_not_applicable", where, "only a tmpfs has a size"));
        const auto parsed = parse_size(size, where);
        if (!parsed) return std::unexpected(parsed.error());
        mount.size = *parsed;
        return {};
    });
    if (std::ranges::find(mounts, mount.target, &MountSpec::target) != mounts.end())
        fields.fail(Error::invalid("invalid_value", fields.at("target"), "something else is mounted there already"));
    if (auto done = fields.done(); !done) return done;
    mounts.push_back(std::move(mount));
    return {};
}

}  // namespace

std::string_view to_string(MountType type) {
    return std::ranges::find(kTypes, type, [](const auto& one) { return one.first; })->second;
}

Result<std::vector<MountSpec>> parse_mounts(const json& value, const std::string& at) {
    if (!value.is_array()) return std::unexpected(wrong_type(at, "an array"));
    if (value.size() > SpecLimits::mounts) return std::unexpected(too_many(at, SpecLimits::mounts));
    std::vector<MountSpec> mounts;
    for (std::size_t index = 0; index < value.size(); ++index)
        if (auto parsed = parse_mount(value[index], pointer(at, index), mounts); !parsed)
            return std::unexpected(parsed.error());
    return mounts;
}

json to_json(const std::vector<MountSpec>& mounts) {
    json all = json::array();
    for (const auto& mount : mounts) {
        json options = json::array();
        if (mount.read_only) options.emplace_back("ro");
        if (mount.no_exec) options.emplace_back("noexec");
        if (mount.no_suid) options.emplace_back("nosuid");
        json one{{"type", to_string(mount.type)}, {"target", mount.target}, {"options", std::move(options)}};
        if (mount.shows_host()) one["source"] = mount.source;
        if (mount.create) one["create"] = true;
        if (mount.size.count != 0) one["size"] = mount.size.to_string();
        all.push_back(std::move(one));
    }
    return all;
}

std::vector<MountSpec> running_mounts(const std::vector<MountSpec>& made, const std::vector<MountSpec>& wanted) {
    auto running = wanted;
    for (auto& mount : running)
        if (const auto was = std::ranges::find(made, mount.target, &MountSpec::target); was != made.end()) mount = *was;
    return running;
}

}  // namespace jaild::model
