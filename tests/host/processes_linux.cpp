#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/catch.h"
#include "tests/host/processes.h"

namespace jaild::test {
namespace {

std::string of_process(pid_t process, const char* file) {
    std::ifstream stream("/proc/" + std::to_string(process) + '/' + file, std::ios::binary);
    std::ostringstream all;
    all << stream.rdbuf();
    return std::move(all).str();
}

/// State and parent, proc(5): what follows the name, which may hold anything.
std::istringstream after_name(pid_t process) {
    const auto text = of_process(process, "stat");
    const auto end = text.rfind(") ");
    return std::istringstream(end == std::string::npos ? "" : text.substr(end + 2));
}

}  // namespace

std::vector<pid_t> all_processes() {
    std::vector<pid_t> all;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const auto name = entry.path().filename().string();
        pid_t process = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), process);
        if (error == std::errc{} && end == name.data() + name.size()) all.push_back(process);
    }
    return all;
}

std::string arguments_of(pid_t process) {
    auto text = of_process(process, "cmdline");
    std::ranges::replace(text, '\0', ' ');
    return text;
}

pid_t parent_of(pid_t process) {
    char state = 0;
    pid_t parent = 0;
    after_name(process) >> state >> parent;
    REQUIRE(parent > 1);
    return parent;
}

bool lives(pid_t process) {
    char state = 0;
    after_name(process) >> state;
    return state != 0 && state != 'Z' && state != 'X';
}

}  // namespace jaild::test
