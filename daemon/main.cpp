#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "api/server.h"
#include "core/base/failpoint.h"
#include "core/kernel/kernel.h"
#include "core/reconcile/reconciler.h"
#include "core/store/store.h"
#include "core/supervisor.h"
#include "daemon/config.h"
#include "daemon/kernel_choice.h"
#include "daemon/notify.h"
#include "daemon/reload.h"
#include "daemon/rescue.h"
#include "daemon/signals.h"
#include "daemon/state_directory.h"

/// jaild: reads its configuration, opens what it was told, and serves until SIGTERM or SIGINT. The jails run on, unless
/// SIGUSR1 said before that the host goes down.
namespace jaild::daemon {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
/// For what still blocks on behalf of clients that were not answered within the server's own grace.
constexpr Milliseconds kFinish{1'000};

/// How long a first look may keep the API waiting. It takes some thousandths of a second for each jail; what hangs in it
/// must not keep the API away.
constexpr Milliseconds kFirstLook{10'000};
constexpr Milliseconds kLookedYet{5};

void start_logging(const std::string& level) {
    auto logger = std::make_shared<spdlog::logger>("jaild", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    logger->set_level(spdlog::level::from_str(level));
    spdlog::set_default_logger(std::move(logger));
}

/// The jails of a host that goes down are given this long; with what ends the daemon after it, it is less than a minute
/// (rc.shutdown(8) has 90 s for all services).
constexpr Milliseconds kHaltPatience{45'000};

void halt(reconcile::Reconciler& reconciler) {
    spdlog::info("SIGUSR1: the host goes down: stopping all jails; those that should run start again with jaild");
    const auto left = reconciler.halt(kHaltPatience);
    if (!left) {
        spdlog::error("the jails cannot be stopped: {}", left.error().to_string());
    } else if (!left->empty()) {
        spdlog::warn("not stopped within {} s: {}", kHaltPatience.count() / 1000, fmt::join(*left, ", "));
    } else {
        spdlog::info("all jails are stopped");
    }
}

/// As many descriptors as the administrator allows: a shim's events and a client's connection take one each, and the
/// usual soft limit is there for programs that use select(2). What runs in a jail gets a limit of its own there.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
        spdlog::warn("setrlimit: {}", Error::from_errno("setrlimit", errno, "open files").detail);
}

/// Or the first answers would tell of jails that run as if they were still to be started. Who asks meanwhile waits in
/// the queue of the socket.
void await_first_look(const reconcile::Reconciler& reconciler) {
    const auto end = std::chrono::steady_clock::now() + kFirstLook;
    while (!reconciler.readiness().looked && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(kLookedYet);
}

Result<void> serve(const CommandLine& line, Config& config) {
    auto state = open_state_directory(config.state_directory);
    if (!state) return std::unexpected(state.error());
    if (auto there = check_not_lost(*state); !there) return there;
    auto helpers = helper_directory();
    if (!helpers) return std::unexpected(helpers.error());
    auto identity = state_identity(*state);
    if (!identity) return std::unexpected(identity.error());

    auto& clock = Clock::system();
    auto store = store::Store::open(
        {.path = *state / "jaild.db",
         .host_identity = *identity,
         .claim = config.claim,
         .records = *state / "records",
         .on_record_problem = [](const Error& error) { spdlog::warn("records: {}", error.to_string()); }},
        clock);
    if (!store) return std::unexpected(store.error());
    if (auto there = check_not_lost(*state, **store); !there) return there;
    auto kernel = make_kernel(config.kernel, {.instance = (*store)->instance(),
                                              .state_directory = *state,
                                              .helper_directory = *helpers,
                                              .mount_sources = config.mount_sources,
                                              .zfs_parent = config.zfs_parent});
    if (!kernel) return std::unexpected(kernel.error());

    reconcile::Reconciler reconciler(**store, **kernel, clock, {.manage_forwarding = config.manage_forwarding});
    Supervisor supervisor(**store, **kernel, reconciler, clock,
                          {.state = *state,
                           .program = archive_program(*helpers),
                           .max_bytes = config.template_max_bytes,
                           .max_entries = config.template_max_entries,
                           .updater = config.template_update});
    if (auto prepared = supervisor.prepare(); !prepared) return prepared;
    api::Server server(supervisor, server_options(config));
    if (auto listening = server.listen(); !listening) return listening;
    reconciler.start();
    await_first_look(reconciler);
    spdlog::info("jaild {} serves {} (instance {}, state {})", JAILD_VERSION, config.socket.string(),
                 (*store)->instance().text(), state->string());
    notify_service_manager("READY=1");
    {
        bool halted = false;
        const Signals signals({.halt =
                                   [&] {
                                       halted = true;
                                       halt(reconciler);
                                   },
                               .reload = [&] { reload(line, config, server); },
                               .end =
                                   [&](int number) {
                                       spdlog::info("signal {}: ending{}", number, halted ? "" : "; jails run on");
                                       notify_service_manager("STOPPING=1");
                                       server.stop();
                                   }});
        server.run();
    }
    // Both, so that what does not hang has ended.
    const bool answered = server.finish(kFinish);
    if (!reconciler.stop() || !answered) {
        // A kernel call hangs in a thread that still uses what would be destroyed now. All that counts is in the store.
        spdlog::warn("a kernel call hangs: ending without it");
        _exit(0);
    }
    return {};
}

Result<void> rescue_offline(const Rescue& wanted, const Config& config) {
    auto state = open_state_directory(config.state_directory);
    if (!state) return std::unexpected(state.error());
    auto identity = state_identity(*state);
    if (!identity) return std::unexpected(identity.error());
    return rescue(wanted, *state, *identity, config.claim);
}

int main(int argc, char** argv) {
    CLI::App app{
        "jaild keeps jails as they were asked for. It serves its HTTP API on a UNIX socket; talk to it with jaildctl."};
    app.footer("Example:\n  jaild --state-dir /var/tmp/try    # socket: /var/tmp/try/jaild.sock");
    app.set_version_flag("--version", fmt::format("jaild {}", JAILD_VERSION));
    CommandLine line;
    app.add_option("--config", line.config_file, "configuration file (TOML)");
    app.add_option("--state-dir", line.state_directory, "directory of the database and the jails' roots");
    app.add_option("--socket", line.socket, "UNIX socket to serve");
    app.add_option("--listen", line.listen,
                   "HOST:PORT to serve too; loopback only, needs a token in the configuration");
    app.add_option("--kernel", line.kernel, "auto, freebsd, linux or memory");
    app.add_option("--log-level", line.log_level, "trace, debug, info, warn or error");
    app.add_flag("--claim", line.claim, "take over a state directory that was made on another machine");
    Rescue wanted;
    auto* restore = app.add_option("--restore", wanted.backup,
                                   "make what `jaildctl backup` wrote (-: standard input) the database, and end");
    app.add_flag("--recover", wanted.recover, "make a lost database again from its records, and end")
        ->excludes(restore);
    app.add_flag("--force", wanted.force,
                 "with --restore or --recover: keep a database that is there beside the new one, renamed");
    bool check_only = false;
    app.add_flag("--check-config", check_only, "say what is wrong with the configuration, and end");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kExitUsage;
    }
    if (wanted.force && !wanted.wanted()) {
        fmt::print(stderr, "jaild: --force is for --restore and --recover\n");
        return kExitUsage;
    }
    auto config = load_config(line);
    if (config && check_only)
        if (auto servable = api::Server::check(server_options(*config)); !servable)
            config = std::unexpected(servable.error());
    if (!config) {
        fmt::print(stderr, "jaild: {}\n", config.error().to_string());
        return kExitUsage;
    }
    if (check_only) return 0;
    start_logging(config->log_level);
    // For tests of crashes alone.
    if (const char* failpoint = std::getenv("JAILD_FAILPOINT"))
        if (auto armed = failpoint::arm(failpoint, reconcile::failpoints()); !armed) {
            fmt::print(stderr, "jaild: JAILD_FAILPOINT: {}\n", armed.error().to_string());
            return kExitUsage;
        }
    raise_descriptor_limit();
    block_signals();
    const auto served = wanted.wanted() ? rescue_offline(wanted, *config) : serve(line, *config);
    if (!served) {
        spdlog::error("{}", served.error().to_string());
        return kExitFailed;
    }
    return 0;
}

}  // namespace
}  // namespace jaild::daemon

int main(int argc, char** argv) {
    try {
        return jaild::daemon::main(argc, argv);
    } catch (const std::exception& error) {
        fmt::print(stderr, "jaild: {}\n", error.what());
        return 1;
    }
}
