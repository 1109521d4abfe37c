#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "core/kernel/linux/netns.h"
#include "core/kernel/names.h"
#include "tests/catch.h"
#include "tests/host/residue_linux.h"
#include "tests/host/test_host.h"

namespace jaild::test {
namespace {

namespace netns = kernel::netns;

class EnteredNamespace final : public TestHost::Entered {
public:
    explicit EnteredNamespace(const std::string& name) {
        auto own = netns::current();
        REQUIRE(own);
        before_ = std::move(*own);
        const auto target = netns::open(name);
        REQUIRE(target);
        REQUIRE(*target);
        REQUIRE(::setns((*target)->get(), CLONE_NEWNET) == 0);
    }
    ~EnteredNamespace() override {
        if (::setns(before_.get(), CLONE_NEWNET) != 0) std::abort();  // the next test would run on the wrong host
    }

private:
    UniqueFd before_;
};

Argv in_namespace(const std::string& name, const Argv& argv) {
    Argv whole{"nsenter", "--net=" + netns::path(name), "--"};
    whole.insert(whole.end(), argv.begin(), argv.end());
    return whole;
}

}  // namespace

void TestHost::make_networks() {
    for (const auto& name : {host_, outside_}) {
        REQUIRE(netns::create(name));
        undo_.add({"ip", "netns", "delete", name});
    }
    run_or_fail({"ip", "-n", host_, "link", "add", Cable::interface, "type", "veth", "peer", "name", "cable", "netns",
                 outside_});
    const auto configure = [](const std::string& name, const std::string& interface, const std::string& ipv4,
                              const std::string& ipv6) {
        run_or_fail({"ip", "-n", name, "address", "add", ipv4 + "/24", "dev", interface});
        run_or_fail({"ip", "-n", name, "address", "add", ipv6 + "/64", "dev", interface, "nodad"});
        run_or_fail({"ip", "-n", name, "link", "set", interface, "up"});
    };
    configure(host_, Cable::interface, Cable::host4, Cable::host6);
    configure(outside_, "cable", Cable::outside4, Cable::outside6);
    run_or_fail({"ip", "-n", host_, "route", "add", "default", "via", Cable::outside4});
    run_or_fail({"ip", "-n", host_, "-6", "route", "add", "default", "via", Cable::outside6});
}

/// The driver asks for it on each of its bridges.
void TestHost::filter_bridges() {}

bool TestHost::redirects_its_own() {
    return true;
}

void TestHost::clean() const {
    for (const auto& instance : instances_) {
        residue::kill_all(residue::processes_of(instance, state_));
        for (const auto& name : residue::namespaces_of(instance)) (void)netns::remove(name);
        for (const auto& group : residue::groups_of(instance)) ::rmdir(group.c_str());
        for (const auto& directory : residue::runtime_directories_of(instance)) residue::remove_state(directory);
        for (const auto* family : {"inet", "bridge"})
            (void)run(on_host({"nft", "delete", "table", family, kernel::nft_table(instance)}));
        std::istringstream links(run(on_host({"ip", "-brief", "link"})).value_or(Completed{}).output);
        for (std::string line; std::getline(links, line);) {
            const auto name = line.substr(0, line.find_first_of(" @"));
            if (name.starts_with("j" + instance.text())) (void)run(on_host({"ip", "link", "delete", name}));
        }
    }
    for (const auto& mount : residue::mounts_beneath(state_)) residue::unmount(mount);
}

std::unique_ptr<TestHost::Entered> TestHost::enter() const {
    return std::make_unique<EnteredNamespace>(host_);
}

Argv TestHost::on_host(const Argv& argv) const {
    return in_namespace(host_, argv);
}
Argv TestHost::outside(const Argv& argv) const {
    return in_namespace(outside_, argv);
}
Argv TestHost::on_another_machine(const Argv& argv) const {
    REQUIRE(std::filesystem::exists("/etc/machine-id"));
    Argv whole{"unshare",
               "--mount",
               "sh",
               "-c",
               "echo 0123456789abcdef0123456789abcdef > \"$0\" && mount --bind \"$0\" /etc/machine-id && exec \"$@\"",
               state_ / "machine-id"};
    whole.insert(whole.end(), argv.begin(), argv.end());
    return on_host(whole);
}

std::vector<std::string> TestHost::leftovers() const {
    std::vector<std::string> found;
    const auto add = [&found](const std::string& kind, const auto& items) {
        for (const auto& item : items) found.push_back(kind + ' ' + std::string(item));
    };
    for (const auto& instance : instances_) {
        add("interface", lines_with(on_host({"ip", "-oneline", "link"}), "j" + instance.text()));
        add("marked", lines_with(on_host({"ip", "-details", "link"}), "jaild:" + instance.text() + ":"));
        add("table", lines_with(on_host({"nft", "list", "tables"}), kernel::nft_table(instance)));
        add("namespace", residue::namespaces_of(instance));
        add("cgroup", residue::groups_of(instance));
        add("directory", residue::runtime_directories_of(instance));
        for (const pid_t process : residue::processes_of(instance, state_)) found.push_back(residue::describe(process));
    }
    add("mount", residue::mounts_beneath(state_));
    return found;
}

}  // namespace jaild::test
