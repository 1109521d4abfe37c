#include "core/kernel/linux/nftables.h"

#include <nftables/libnftables.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

namespace jaild::kernel::nft {
namespace {

std::mutex& library_mutex() {
    static std::mutex mutex;
    return mutex;
}

struct Free {
    void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};

/// The first line: the others point at the place in a command that a person never typed.
std::string first_line(const char* text) {
    const std::string_view all = text == nullptr ? "" : text;
    return std::string(all.substr(0, all.find('\n')));
}

struct Setting {
    Effect effect = Effect::real;
    bool json = false;
};

Result<std::string> execute(const std::string& commands, Setting setting) {
    const std::lock_guard lock(library_mutex());
    const std::unique_ptr<nft_ctx, Free> context(nft_ctx_new(NFT_CTX_DEFAULT));
    if (!context) return std::unexpected(Error::from_errno("nft_ctx_new", errno, "libnftables"));
    nft_ctx_set_dry_run(context.get(), setting.effect == Effect::none);
    if (setting.json) nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_JSON);
    if (nft_ctx_buffer_output(context.get()) != 0 || nft_ctx_buffer_error(context.get()) != 0) {
        return std::unexpected(Error::from_errno("nft_ctx_buffer_output", ENOMEM));
    }
    if (nft_run_cmd_from_buffer(context.get(), commands.c_str()) != 0) {
        auto words = first_line(nft_ctx_get_error_buffer(context.get()));
        return std::unexpected(Error{.code = Errc::kernel,
                                     .op = "nft",
                                     .detail = words.empty() ? "nftables refused the rules" : std::move(words)});
    }
    const char* output = nft_ctx_get_output_buffer(context.get());
    return std::string(output == nullptr ? "" : output);
}

}  // namespace

Result<void> run(const std::string& commands, Effect effect) {
    const auto done = execute(commands, {.effect = effect});
    if (!done) return std::unexpected(done.error());
    return {};
}

Result<std::string> show(const std::string& command) {
    return execute(command, {});
}

Result<nlohmann::json> list(const std::string& command) {
    const auto output = execute(command, {.json = true});
    if (!output) return std::unexpected(output.error());
    auto json = nlohmann::json::parse(*output, nullptr, false);
    if (!json.is_object() || !json.contains("nftables") || !json["nftables"].is_array()) {
        return std::unexpected(Error{.code = Errc::unsupported,
                                     .op = "nft",
                                     .detail = "libnftables does not answer in JSON",
                                     .remedy = "install a libnftables that was built with JSON support"});
    }
    return std::move(json["nftables"]);
}

}  // namespace jaild::kernel::nft
