#include "tests/host/jail_fixture_linux.h"

#include <fstream>
#include <sstream>

#include "tests/host/daemon.h"

namespace jaild::test {

namespace fs = std::filesystem;

kernel::DriverOptions JailFixture::options(const TestHost& host) {
    kernel::DriverOptions options = host.options();
    options.helper_directory = fs::path(jaild_program()).parent_path();
    return options;
}

Result<Completed> JailFixture::run_directly(JailId, const Argv& argv, const fs::path&, Milliseconds timeout) {
    return run(argv, {.timeout = timeout});
}

kernel::RootParameters JailFixture::root_parameters(JailId id, const model::RootSpec& root) {
    return {.id = id,
            .name = value_of(model::Name::parse("test" + std::to_string(id.value))),
            .root = root,
            .template_name = root.kind == model::RootKind::path ? "" : "host",
            .hostname = "host" + std::to_string(id.value),
            .addresses = {},
            .nameservers = {},
            .search = {}};
}

kernel::JailParameters JailFixture::jail_parameters(JailId id) {
    const auto root = root_parameters(id);
    return {.id = id, .name = root.name, .hostname = root.hostname, .mode = model::NetworkMode::none};
}

void JailFixture::mount_root(JailId id, const model::RootSpec& root) {
    mount_root(root_parameters(id, root));
}

void JailFixture::mount_root(const kernel::RootParameters& parameters) {
    const auto id = parameters.id;
    value_of(roots.prepare(parameters));
    value_of(roots.refresh(parameters));
    for (const kernel::Mount& mount : value_of(roots.mounts(parameters))) value_of(mounts.mount(id, mount));
}

void JailFixture::unmount_root(JailId id) {
    const auto all = value_of(mounts.list(id));
    for (auto mount = all.rbegin(); mount != all.rend(); ++mount) value_of(mounts.unmount(id, mount->target));
}

void JailFixture::start(JailId id, const model::RootSpec& root) {
    start(root_parameters(id, root));
}

void JailFixture::start(const kernel::RootParameters& parameters) {
    mount_root(parameters);
    value_of(jails.create(jail_parameters(parameters.id)));
}

std::optional<kernel::ProcessIdentity> JailFixture::first_process(JailId id) const {
    const auto container = value_of(runtime.find(id));
    if (!container || !container->alive) return std::nullopt;
    return container->first;
}

std::int64_t JailFixture::process_of(JailId id) const {
    return first_process(id).value_or(kernel::ProcessIdentity{}).pid;
}

kernel::ObservedJail JailFixture::observed(JailId id) {
    const auto listed = value_of(jails.list(id));
    REQUIRE(listed.size() == 1);
    return listed.front();
}

Completed JailFixture::in_jail(JailId id, const Argv& argv) const {
    Argv whole{value_of(kernel::Runtime::program()),
               "--root",
               layout.runtime_root().string(),
               "exec",
               "--env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               layout.container(id)};
    whole.insert(whole.end(), argv.begin(), argv.end());
    return value_of(run(whole));
}

int JailFixture::status_in_jail(JailId id, const std::string& line) const {
    return in_jail(id, {"/bin/sh", "-c", line}).exit_code;
}

std::string JailFixture::output_in_jail(JailId id, const std::string& line) const {
    auto done = in_jail(id, {"/bin/sh", "-c", line});
    INFO(line << ": " << done.error_output);
    REQUIRE(done.exit_code == 0);
    while (done.output.ends_with('\n')) done.output.pop_back();
    return done.output;
}

void make_path_root(const fs::path& directory) {
    for (const char* name : {"proc", "dev", "sys"}) fs::create_directories(directory / name);
}

}  // namespace jaild::test
