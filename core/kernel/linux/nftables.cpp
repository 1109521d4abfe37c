#include "core/kernel/linux/nftables.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/base/unique_fd.h"

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

Result<std::uint32_t> generation() {
    const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (!socket) return std::unexpected(Error::from_errno("socket", errno, "nftables"));
    struct {
        nlmsghdr header;
        nfgenmsg family;
    } request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    if (::send(socket.get(), &request, sizeof request, 0) < 0)
        return std::unexpected(Error::from_errno("NFT_MSG_GETGEN", errno, "nftables"));
    alignas(nlmsghdr) std::array<char, 1024> answer{};
    const auto size = ::recv(socket.get(), answer.data(), answer.size(), 0);
    if (size < 0) return std::unexpected(Error::from_errno("NFT_MSG_GETGEN", errno, "nftables"));
    const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
    if (NLMSG_OK(header, static_cast<std::uint32_t>(size)) && header->nlmsg_type == request.header.nlmsg_type - 1) {
        auto offset = static_cast<std::size_t>(NLMSG_LENGTH(sizeof(nfgenmsg)));
        while (offset + sizeof(nlattr) <= header->nlmsg_len) {
            nlattr attribute{};
            std::memcpy(&attribute, answer.data() + offset, sizeof attribute);
            if (attribute.nla_len < sizeof attribute) break;
            if (attribute.nla_type == NFTA_GEN_ID && attribute.nla_len >= sizeof attribute + sizeof(std::uint32_t)) {
                std::uint32_t id = 0;
                std::memcpy(&id, answer.data() + offset + sizeof attribute, sizeof id);
                return ntohl(id);
            }
            offset += NLA_ALIGN(attribute.nla_len);
        }
    }
    return std::unexpected(
        Error{.code = Errc::kernel, .op = "NFT_MSG_GETGEN", .detail = "no generation in the answer"});
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
