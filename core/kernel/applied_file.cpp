#include "core/kernel/applied_file.h"

#include <nlohmann/json.hpp>

#include "core/base/files.h"

namespace jaild::kernel {

namespace {

constexpr const char* kFile = "applied.json";
constexpr std::size_t kLimit = 16 << 20;
constexpr const char* kBegun = "begun";
constexpr const char* kEnding = "ending";

HookLife hooks_in(const std::string& text) {
    return text == kBegun ? HookLife::begun : text == kEnding ? HookLife::ending : HookLife::none;
}

}  // namespace

Result<Applied> read_applied(const std::filesystem::path& jail_directory) {
    const auto text = files::read(jail_directory / kFile, kLimit);
    if (!text && text.error().code == Errc::not_found) return Applied{};
    if (!text) return std::unexpected(text.error());
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (!json.is_object()) return Applied{};
    try {
        return Applied{.generation = json.at("generation").get<Generation>(),
                       .incarnation = json.at("incarnation").get<Incarnation>(),
                       .complete = json.at("complete").get<bool>(),
                       .spec = json.at("spec").get<std::string>(),
                       .hooks = hooks_in(json.value("hooks", std::string())),
                       .name = json.value("name", std::string())};
    } catch (const nlohmann::json::exception&) {
        return Applied{};
    }
}

Result<void> write_applied(const std::filesystem::path& jail_directory, const Applied& applied) {
    nlohmann::json json = {{"generation", applied.generation},
                           {"incarnation", applied.incarnation},
                           {"complete", applied.complete},
                           {"spec", applied.spec},
                           {"name", applied.name}};
    if (applied.hooks != HookLife::none) json["hooks"] = applied.hooks == HookLife::begun ? kBegun : kEnding;
    // The spec holds secrets: 0600. Text that is no UTF-8 cannot be in it, but must never end the daemon.
    const auto text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return files::write_atomic(jail_directory / kFile, text, 0600);
}

}  // namespace jaild::kernel
