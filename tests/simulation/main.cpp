// jaild_simulation: thousands of random histories on the model of a kernel. A failing seed replays from the command
// line.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/simulation/random/random_run.h"

namespace {

using jaild::simulation::random_run;

constexpr const char* kUsage =
    "usage: jaild_simulation [--seeds N] [--first SEED] [--steps M] [--threads T] [--seconds S]\n"
    "       jaild_simulation --seed SEED [--steps M] [--trace]\n";

struct Arguments {
    std::optional<std::uint64_t> seed;  ///< replay this one
    std::uint64_t first = 1;
    std::uint64_t seeds = 2000;
    std::uint64_t steps = 30;
    std::uint64_t threads = 2;
    std::uint64_t seconds = 0;  ///< begin no further seed after so long; 0: all of them
    bool trace = false;
};

bool parse(int argc, char** argv, Arguments& arguments) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--trace") {
            arguments.trace = true;
            continue;
        }
        if (i + 1 == argc) return false;
        const std::string_view text = argv[++i];
        std::uint64_t value = 0;
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (problem != std::errc() || end != text.data() + text.size()) return false;
        if (option == "--seed") {
            arguments.seed = value;
        } else if (option == "--first") {
            arguments.first = value;
        } else if (option == "--seeds") {
            arguments.seeds = value;
        } else if (option == "--steps") {
            arguments.steps = value;
        } else if (option == "--threads" && value > 0) {
            arguments.threads = value;
        } else if (option == "--seconds") {
            arguments.seconds = value;
        } else {
            return false;
        }
    }
    return true;
}

void report(std::uint64_t seed, const Arguments& arguments, const std::vector<std::string>& found) {
    auto text =
        fmt::format("FAILED: replay with jaild_simulation --seed {} --steps {} --trace\n", seed, arguments.steps);
    for (const auto& line : found) text += "  " + line + '\n';
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

/// Ends the program, with the seed that it takes to see it again, when one history takes longer than any: two threads
/// of it wait for each other, say.
class Watchdog {
public:
    explicit Watchdog(const Arguments& arguments, std::size_t players)
        : arguments_(arguments), players_(players), thread_([this](const std::stop_token& stop) { watch(stop); }) {}

    void begins(std::size_t player, std::uint64_t seed) {
        const std::lock_guard lock(mutex_);
        players_[player] = {.seed = seed, .since = Time::clock::now()};
    }
    void ends(std::size_t player) {
        const std::lock_guard lock(mutex_);
        players_[player] = {};
    }

private:
    using Time = std::chrono::steady_clock::time_point;
    struct Player {
        std::uint64_t seed = 0;
        std::optional<Time> since{};
    };
    static constexpr std::chrono::seconds kLongest{300};

    void watch(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (!stop.stop_requested()) {
            (void)changed_.wait_for(lock, stop, std::chrono::seconds{1}, [] { return false; });
            for (const auto& one : players_) {
                if (!one.since || Time::clock::now() - *one.since < kLongest) continue;
                report(one.seed, arguments_, {fmt::format("it has not ended within {} s", kLongest.count())});
                std::_Exit(1);
            }
        }
    }

    const Arguments& arguments_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<Player> players_;
    std::jthread thread_;
};

int replay(const Arguments& arguments) {
    Watchdog watchdog(arguments, 1);
    watchdog.begins(0, *arguments.seed);
    const auto found = random_run({*arguments.seed, arguments.steps, arguments.trace});
    if (!found.empty()) report(*arguments.seed, arguments, found);
    return found.empty() ? 0 : 1;
}

int run_all(const Arguments& arguments) {
    constexpr std::size_t kEnough = 10;  // failures to report before giving up
    const auto begin = std::chrono::steady_clock::now();
    std::atomic<std::uint64_t> next = 0;
    std::atomic<std::uint64_t> played = 0;
    std::atomic<std::size_t> failed = 0;
    std::mutex output;
    Watchdog watchdog(arguments, arguments.threads);
    const auto play = [&](std::size_t player) {
        while (failed < kEnough) {
            const auto late = arguments.seconds != 0 &&
                              std::chrono::steady_clock::now() - begin > std::chrono::seconds(arguments.seconds);
            const auto offset = next.fetch_add(1);
            if (late || offset >= arguments.seeds) return;
            const auto seed = arguments.first + offset;
            watchdog.begins(player, seed);
            const auto found = random_run({seed, arguments.steps, false});
            watchdog.ends(player);
            ++played;
            if (found.empty()) continue;
            ++failed;
            const std::lock_guard lock(output);
            report(seed, arguments, found);
        }
    };
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < arguments.threads; ++i) threads.emplace_back(play, i);
    for (auto& one : threads) one.join();
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    fmt::print("{} steps: {} seeds from {}, {} steps each, {} failed, {} ms\n", played * arguments.steps, played.load(),
               arguments.first, arguments.steps, failed.load(), took.count());
    return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    if (!parse(argc, argv, arguments)) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    // Thousands of failures that are asked for say nothing.
    if (!arguments.trace) spdlog::set_level(spdlog::level::off);
    return arguments.seed ? replay(arguments) : run_all(arguments);
}
