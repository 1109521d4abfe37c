#include "tests/host/residue.h"

#include <signal.h>

#include <algorithm>

#include "core/base/files.h"
#include "tests/host/eventually.h"
#include "tests/host/processes.h"

namespace jaild::test::residue {

std::string describe(pid_t process) {
    return "process " + std::to_string(process) + ": " + arguments_of(process);
}

void kill_all(const std::vector<pid_t>& processes) {
    for (const pid_t process : processes) ::kill(process, SIGKILL);
    eventually([&] { return std::ranges::none_of(processes, [](pid_t process) { return lives(process); }); });
}

void remove_state(const std::filesystem::path& directory) {
    auto mounts = mounts_beneath(directory);
    for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) unmount(*mount);
    const auto parent = files::open_directory(directory.parent_path());
    if (parent) (void)files::remove_tree(parent->get(), directory.filename().string());
}

}  // namespace jaild::test::residue
