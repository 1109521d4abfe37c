#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <thread>

#include "api/server.h"
#include "core/kernel/kernel.h"
#include "core/reconcile/reconciler.h"
#include "core/store/store.h"
#include "core/supervisor.h"
#include "daemon/config.h"
#include "daemon/kernel_choice.h"
#include "daemon/state_directory.h"

/// jaild: reads its configuration, opens what it was told, and serves until SIGTERM or SIGINT. The jails run on.
namespace jaild::daemon {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

void start_logging(const std::string& level) {
    auto logger = std::make_shared<spdlog::logger>("jaild", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    logger->set_level(spdlog::level::from_str(level));
    spdlog::set_default_logger(std::move(logger));
}

/// The signals that end the daemon wait for end_on_signal's thread; a closed connection is an error, not a signal.
sigset_t block_signals() {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGHUP, SIG_IGN);
    return ends;
}

/// Ends `server` at the first SIGTERM or SIGINT. wake() ends the thread itself when the server ended by other means.
class SignalWaiter {
public:
    SignalWaiter(sigset_t ends, api::Server& server)
        : thread_([ends, &server] {
              int number = 0;
              sigwait(&ends, &number);
              spdlog::info("signal {}: ending; jails run on", number);
              server.stop();
          }) {}
    SignalWaiter(const SignalWaiter&) = delete;
    SignalWaiter& operator=(const SignalWaiter&) = delete;
    ~SignalWaiter() {
        pthread_kill(thread_.native_handle(), SIGTERM);
        thread_.join();
    }

private:
    std::thread thread_;
};

api::ServerOptions server_options(const Config& config) {
    api::ServerOptions options;
    options.socket = config.socket;
    options.socket_group = config.socket_group;
    options.listen = config.listen;
    for (const auto& token : config.tokens)
        options.tokens.push_back({.name = token.name, .value = token.value, .role = token.role});
    return options;
}

Result<void> serve(const Config& config, sigset_t ends) {
    auto state = open_state_directory(config.state_directory);
    if (!state) return std::unexpected(state.error());
    auto helpers = helper_directory();
    if (!helpers) return std::unexpected(helpers.error());
    auto identity = state_identity(*state);
    if (!identity) return std::unexpected(identity.error());

    auto& clock = Clock::system();
    auto store =
        store::Store::open({.path = *state / "jaild.db", .host_identity = *identity, .claim = config.claim}, clock);
    if (!store) return std::unexpected(store.error());
    auto kernel = make_kernel(config.kernel, {.instance = (*store)->instance(),
                                              .state_directory = *state,
                                              .helper_directory = *helpers,
                                              .zfs_parent = config.zfs_parent});
    if (!kernel) return std::unexpected(kernel.error());

    reconcile::Reconciler reconciler(**store, **kernel, clock, {.manage_forwarding = config.manage_forwarding});
    Supervisor supervisor(**store, **kernel, reconciler, clock);
    if (auto prepared = supervisor.prepare(); !prepared) return prepared;
    api::Server server(supervisor, server_options(config));
    if (auto listening = server.listen(); !listening) return listening;
    reconciler.start();
    spdlog::info("jaild {} serves {} (instance {}, state {})", JAILD_VERSION, config.socket.string(),
                 (*store)->instance().text(), state->string());
    {
        const SignalWaiter waiter(ends, server);
        server.run();
    }
    if (!reconciler.stop()) {
        // A kernel call hangs in a thread that still uses what would be destroyed now. All that counts is in the store.
        spdlog::warn("a kernel call hangs: ending without it");
        _exit(0);
    }
    return {};
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
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kExitUsage;
    }
    auto config = load_config(line);
    if (!config) {
        fmt::print(stderr, "jaild: {}\n", config.error().to_string());
        return kExitUsage;
    }
    start_logging(config->log_level);
    const auto ends = block_signals();
    if (auto served = serve(*config, ends); !served) {
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
