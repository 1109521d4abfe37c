#include <cerrno>

#include "tests/catch.h"
#include "tests/simulation/scene/expectation.h"
#include "tests/simulation/systematic/scenario.h"

/// Something that does not pass by itself: an object that fails whenever it is touched.

using namespace jaild;
using namespace jaild::simulation;
using kernel::memory::Remains;

namespace {

model::NamedSpec lonely(const std::string& name) {
    auto named = full_jail(name);
    named.spec.network = {.mode = model::NetworkMode::none, .interfaces = {}, .nameservers = {}, .search = {}};
    return named;
}

bool runs(Scene& scene, JailId id) {
    const auto row = scene.jail(id);
    return row && scene.reconciler().status(*row).state == model::JailState::running;
}

}  // namespace

TEST_CASE("whatever is wrong with the network, resyncs alone bring all other jails where they should be",
          "[simulation][broken]") {
    for (const auto* point : {"links.ensure_bridge", "links.ensure_bridge.create", "links.ensure_bridge.up",
                              "links.bridges", "links.ensure", "links.ensure.take_out", "firewall.list",
                              "firewall.available", "firewall.apply", "links.enable_forwarding"}) {
        INFO(point);
        Scene scene;
        (void)expect(scene.create(full_jail("web")));
        const auto first = expect(scene.create(lonely("first")));
        const auto second = expect(scene.create(lonely("second")));
        scene.kill_daemon();
        scene.kernel().faults().always(point, EPERM);
        CHECK(scene.come_to_rest(Scene::Care::resyncs));
        CHECK(runs(scene, first));
        CHECK(runs(scene, second));
        CHECK(problems_without_network(scene) == std::vector<std::string>{});

        REQUIRE(scene.kernel().hand().kill_jail(first, Remains::corpse));
        scene.history(first).disturbed = true;
        expect(scene.remove(second));
        CHECK(scene.come_to_rest(Scene::Care::resyncs));
        CHECK(runs(scene, first));
        CHECK_FALSE(scene.jail(second));
        CHECK(problems_without_network(scene) == std::vector<std::string>{});

        CHECK(scene.settle(Scene::Care::resyncs));
        CHECK(problems(scene) == std::vector<std::string>{});
    }
}

TEST_CASE("what is asked of a stopped jail has ended with the next resync, although nothing is to be done",
          "[simulation]") {
    Scene scene;
    auto stopped = lonely("web");
    stopped.spec.running = false;
    const auto web = expect(scene.create(stopped));
    REQUIRE(scene.settle(Scene::Care::resyncs));
    expect(scene.restart(web));
    CHECK(scene.settle(Scene::Care::resyncs));
    CHECK(problems(scene) == std::vector<std::string>{});
}
