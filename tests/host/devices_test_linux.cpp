#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/kernel/linux/devices.h"
#include "core/kernel/linux/oci_config.h"
#include "tests/host/jail_fixture_linux.h"
#include "tests/temp_directory.h"

using namespace jaild;
using namespace jaild::kernel;
using namespace jaild::test;
namespace fs = std::filesystem;

namespace {

/// A /dev of the test's own: the files name devices, nobody opens them.
class DevDirectory {
public:
    DevDirectory() {
        for (const char* name : {"usb", "pts", "net"}) fs::create_directory(own_.path() / name);
        make("null", S_IFCHR | 0666, 1, 3);
        make("fuse", S_IFCHR | 0600, 10, 229);
        make("loop0", S_IFBLK | 0660, 7, 0);
        make("loop1", S_IFBLK | 0660, 7, 1);
        make("net/tun", S_IFCHR | 0666, 10, 200);
        make("usb/1", S_IFCHR | 0600, 180, 1);
        make("pts/0", S_IFCHR | 0600, 136, 0);
        make("pipe", S_IFIFO | 0600, 0, 0);
        fs::create_symlink("fuse", own_.path() / "link");
    }
    [[nodiscard]] const fs::path& path() const { return own_.path(); }
    [[nodiscard]] std::vector<Device> find(const std::vector<std::string>& patterns) const {
        return value_of(find_devices(path(), patterns));
    }

private:
    void make(const char* name, mode_t mode, unsigned major, unsigned minor) const {
        REQUIRE(::mknod((own_.path() / name).c_str(), mode, makedev(major, minor)) == 0);
        REQUIRE(::chmod((own_.path() / name).c_str(), mode & 0777) == 0);
    }
    TempDirectory own_;
};

}  // namespace

TEST_CASE("devices are found by paths and patterns", "[linux][devices]") {
    const DevDirectory dev;
    CHECK(dev.find({}).empty());
    CHECK(dev.find({"loop*", "fuse"}) ==
          std::vector<Device>{{.path = "fuse", .block = false, .major = 10, .minor = 229, .mode = 0600},
                              {.path = "loop0", .block = true, .major = 7, .minor = 0, .mode = 0660},
                              {.path = "loop1", .block = true, .major = 7, .minor = 1, .mode = 0660}});
    CHECK(dev.find({"net/*"}).size() == 1);
    CHECK(dev.find({"usb/1", "usb/*"}).size() == 1);
    // What every jail has, what the kernel shows by itself, and what is no device.
    CHECK(dev.find({"null", "pts/*", "pipe", "link", "usb", "net"}).empty());
}

TEST_CASE("a device that is not there is named", "[linux][devices]") {
    const DevDirectory dev;
    CHECK(check_devices(dev.path(), {"fuse", "loop*"}));
    const auto missing = error_of(check_devices(dev.path(), {"fuse", "tun*"}));
    CHECK((missing.code == Errc::invalid && missing.reason == "device_missing" && missing.field == "/devices/1"));
    CHECK(check_devices(dev.path(), {}));
}

TEST_CASE("the runtime is told to make the devices, and to let nothing else be used", "[linux][devices]") {
    JailFixture jail;
    const auto parameters = JailFixture::jail_parameters(JailId{1});
    const auto plain = oci_config(jail.layout, parameters, "").at("linux");
    CHECK(plain.at("devices").empty());
    CHECK(plain.at("resources").at("devices").size() == 1);
    const auto with = oci_config(jail.layout, parameters, "",
                                 {{.path = "loop0", .block = true, .major = 7, .minor = 0, .mode = 0660}})
                          .at("linux");
    CHECK(with.at("devices").at(0) == nlohmann::json{{"path", "/dev/loop0"},
                                                     {"type", "b"},
                                                     {"major", 7},
                                                     {"minor", 0},
                                                     {"fileMode", 0660},
                                                     {"uid", 0},
                                                     {"gid", 0}});
    const auto& rules = with.at("resources").at("devices");
    CHECK(rules.at(0) == nlohmann::json{{"allow", false}, {"access", "rwm"}});
    CHECK(rules.at(1) == nlohmann::json{{"allow", true}, {"type", "b"}, {"major", 7}, {"minor", 0}, {"access", "rw"}});
}
