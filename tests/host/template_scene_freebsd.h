#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tests/host/client.h"
#include "tests/host/zfs_pool_freebsd.h"

namespace jaild::test {

/// With the directories above it.
void write_text(const std::filesystem::path& path, const std::string& text);

/// An archive, in that directory, of a userland of the host's own shell and a few programs; /usr/local/etc/tool.conf
/// and /usr/lib/site/module of it say "of the template".
std::filesystem::path make_userland(const std::filesystem::path& directory);

enum class Backend { directory, zfs };

/// A daemon whose templates and roots are directories, or datasets of a pool.
struct TemplateScene {
    TestHost host;
    std::optional<Pool> pool;
    Daemon daemon{host};
    Client client{daemon};

    explicit TemplateScene(Backend backend);
    void start() { daemon.start(pool ? Argv{"--config", pool->config()} : Argv{}); }
    /// That archive, as small:1, whose /usr/lib/site is private.
    [[nodiscard]] HttpReply import() const;
    void have_template() const;
    [[nodiscard]] HttpReply create(const std::string& name, const char* kind) const;
    void have_jail(const std::string& name, const char* kind) const;
    [[nodiscard]] HttpReply remove_template() const;
    /// Where the only template lies.
    [[nodiscard]] std::filesystem::path tree() const;
    [[nodiscard]] std::string dataset() const;
    /// Names, sizes and times of all that the template has.
    [[nodiscard]] std::string listing() const;
    /// Nothing is left of templates and jails but the parent.
    void check_nothing_left() const;
};

}  // namespace jaild::test
