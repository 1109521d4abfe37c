#include "tests/host/secrets_fixture.h"

#include <unistd.h>

#include <fstream>

#include "tests/results.h"

namespace jaild::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Long enough to be nowhere by accident.
constexpr const char* kSecret = "planted-3f1c9a7e5b2d4860";

}  // namespace

Planted::Planted(fs::path path) : path_(std::move(path)) {
    REQUIRE_FALSE(fs::exists(path_));
    std::ofstream(path_) << kSecret << '\n';
    REQUIRE(fs::exists(path_));
}

Planted::~Planted() {
    ::unlink(path_.c_str());
}

Seen::Seen() {
    for (const fs::path directory : {"/etc", "/root", "/home", "/usr/home", "/usr/local", "/usr/local/lib"}) {
        // A fresh FreeBSD has no /home; where it is a link, one of its names is enough.
        if (fs::is_directory(directory) && !fs::is_symlink(directory))
            planted.push_back(std::make_unique<Planted>(directory / name));
    }
    REQUIRE(planted.size() >= 2);
    daemon.set_environment({"PATH=" + std::string(kSystemPath), std::string("JAILD_TEST_SECRET=") + kSecret});
    daemon.start();
    client.create({{"name", "web"}, {"command", {"/bin/sleep", "1000"}}});
}

std::string Seen::found(const std::string& line) const {
    const json body{{"argv", {"/bin/sh", "-c", line}}, {"stdin", std::string(kSecret) + '\n'}};
    const auto reply = daemon.request("POST", "/v1/jails/web/exec", body.dump());
    INFO(line << ": " << reply.body);
    REQUIRE(reply.status == 200);
    return json::parse(reply.body).at("stdout");
}

}  // namespace jaild::test
