/// Copying and removing a tree, in turns with cp(1) and rm(1) on the same tree.
///
///     jaild-bench-copy [--files N] [--size BYTES] [--rounds N] [--directory DIR]
///
/// Prints medians and ratios.

#include "core/base/copy_tree.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "core/base/files.h"
#include "core/base/random.h"
#include "core/base/spawn.h"

namespace fs = std::filesystem;
using namespace jaild;

namespace {

[[noreturn]] void fail(const Error& error) {
    fmt::print(stderr, "jaild-bench-copy: {}\n", error.to_string());
    std::exit(1);
}

template <class T>
T required(Result<T> result) {
    if (!result) fail(result.error());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

void run_program(const Argv& argv) {
    const auto done = required(run(argv, {.timeout = Milliseconds{600'000}}));
    if (done.exit_code != 0) fail({.op = "run", .detail = argv.front() + ": " + done.error_output});
}

template <class Work>
double milliseconds(Work work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

/// As a base system has them: some files to a directory, links of both sorts among them.
void make_tree(const fs::path& tree, int files, std::size_t size) {
    constexpr int kToADirectory = 25;
    const std::string text(size, 'x');
    for (int i = 0; i < files; ++i) {
        const auto directory = tree / std::to_string(i / kToADirectory / 20) / std::to_string(i / kToADirectory);
        if (i % kToADirectory == 0) fs::create_directories(directory);
        const auto path = directory / std::to_string(i);
        if (i % kToADirectory == 7)
            fs::create_symlink("0", path);
        else if (i % kToADirectory == 9)
            fs::create_hard_link(directory / std::to_string(i - 1), path);
        else
            std::ofstream(path) << text;
    }
}

double median(std::vector<double> figures) {
    std::ranges::sort(figures);
    return figures[figures.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("copy_tree and remove_tree, in turns with cp -a and rm -rf");
    int files = 10'000;
    int rounds = 9;
    std::size_t size = 4000;
    std::string where = fs::temp_directory_path();
    app.add_option("--files", files);
    app.add_option("--size", size, "of each, in bytes");
    app.add_option("--rounds", rounds)->check(CLI::PositiveNumber);
    app.add_option("--directory", where, "where the trees are made");
    CLI11_PARSE(app, argc, argv);

    const fs::path own = fs::path(where) / ("jaild-bench-" + random_hex(8));
    fs::create_directories(own);
    const auto home = required(files::open_directory(own));
    make_tree(own / "source", files, size);
    ::sync();
    std::map<std::string, std::vector<double>> figures;
    for (int round = 0; round <= rounds; ++round) {
        fs::create_directory(own / "ours");
        const auto keep = [&](const char* name, double figure) {
            if (round > 0) figures[name].push_back(figure);  // the first warms the caches
        };
        const auto copy = [&] {
            const auto source = required(files::open_directory(own / "source"));
            const auto target = required(files::open_directory(own / "ours"));
            required(files::copy_tree(source.get(), target.get()));
        };
        const auto cp = [&] { run_program({"cp", "-a", own / "source", own / "theirs"}); };
        // Each goes first every other time.
        if (round % 2 == 0) keep("copy_tree", milliseconds(copy));
        keep("cp -a", milliseconds(cp));
        if (round % 2 != 0) keep("copy_tree", milliseconds(copy));
        ::sync();
        const auto remove = [&] { required(files::remove_tree(home.get(), "ours")); };
        const auto rm = [&] { run_program({"rm", "-rf", own / "theirs"}); };
        if (round % 2 == 0) keep("remove_tree", milliseconds(remove));
        keep("rm -rf", milliseconds(rm));
        if (round % 2 != 0) keep("remove_tree", milliseconds(remove));
        ::sync();
    }
    for (const auto& [name, times] : figures) fmt::print("{:12} {:9.1f} ms\n", name, median(times));
    fmt::print("copy_tree / cp -a    {:.2f}\n", median(figures["copy_tree"]) / median(figures["cp -a"]));
    fmt::print("remove_tree / rm -rf {:.2f}\n", median(figures["remove_tree"]) / median(figures["rm -rf"]));
    const auto parent = required(files::open_directory(where));
    required(files::remove_tree(parent.get(), own.filename()));
}
