#include "core/kernel/alias_file.h"

#include <nlohmann/json.hpp>

#include "core/base/files.h"

namespace jaild::kernel {

namespace {

constexpr const char* kAliasFile = "aliases.json";
constexpr std::size_t kAliasLimit = 1 << 20;

std::vector<Alias> decode_aliases(const nlohmann::json& document, const std::string& boot) {
    std::vector<Alias> aliases;
    if (!document.is_object() || document.value("boot", nlohmann::json()) != boot) return aliases;
    const auto list = document.find("aliases");
    if (list == document.end() || !list->is_array()) return aliases;
    for (const auto& one : *list) {
        if (!one.is_object() || !one.contains("interface") || !one["interface"].is_string()) continue;
        if (!one.contains("address") || !one["address"].is_string()) continue;
        const auto address = Prefix::parse(one["address"].get_ref<const std::string&>());
        if (address) aliases.push_back({.interface = one["interface"], .address = *address});
    }
    return aliases;
}

}  // namespace

Result<std::vector<Alias>> read_aliases(const std::filesystem::path& jail_directory, const std::string& boot) {
    const auto text = files::read(jail_directory / kAliasFile, kAliasLimit);
    if (!text && text.error().code == Errc::not_found) return std::vector<Alias>{};
    if (!text) return std::unexpected(text.error());
    return decode_aliases(nlohmann::json::parse(*text, nullptr, false), boot);
}

Result<void> write_aliases(const std::filesystem::path& jail_directory, const std::string& boot,
                           const std::vector<Alias>& aliases) {
    auto list = nlohmann::json::array();
    for (const auto& one : aliases)
        list.push_back({{"interface", one.interface}, {"address", one.address.to_string()}});
    const nlohmann::json document{{"boot", boot}, {"aliases", std::move(list)}};
    const auto text = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return files::write_atomic(jail_directory / kAliasFile, text, 0600);
}

}  // namespace jaild::kernel
