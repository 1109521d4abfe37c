#include <cerrno>

#include "tests/unit/supervisor/desk.h"

using namespace jaild;
using namespace jaild::supervisor_test;
using jaild::model::JailState;

TEST_CASE("?restart=true applies what an earlier change left waiting", "[supervisor]") {
    Desk desk;
    desk.work(desk.create(R"({"name":"web","command":["sleep","1"]})"));
    desk.work(value_of(desk.patch("web", R"({"command":["sleep","2"]})")));
    const auto before = value_of(desk.supervisor.get(Desk::kAdmin, Desk::name("web")));
    REQUIRE(desk.house.condition(before, "RestartRequired"));

    SECTION("with a live field") {
        const auto changed = value_of(desk.patch("web", R"({"labels":{"tier":"front"}})", true));
        CHECK(changed.jail.incarnation == before.incarnation + 1);
        desk.work(changed);
        CHECK(desk.state_of(changed.operation) == "succeeded");
    }
    SECTION("with no change at all") {
        const auto changed = value_of(desk.patch("web", R"({"command":["sleep","2"]})", true));
        CHECK(changed.jail.generation == before.generation);
        CHECK(value_of(desk.supervisor.operation(Desk::kAdmin, changed.operation)).kind == "restart");
        desk.work(changed);
        CHECK(desk.state_of(changed.operation) == "succeeded");
    }
    SECTION("with another restart field") {
        desk.work(value_of(desk.patch("web", R"({"exec":{"start":["true"]}})", true)));
    }
    CHECK_FALSE(desk.house.condition(before, "RestartRequired"));
    CHECK(value_of(desk.supervisor.plan(Desk::kAdmin, Desk::name("web"))).empty());
}

TEST_CASE("?restart=true restarts nothing that needs no restart", "[supervisor]") {
    Desk desk;
    desk.work(desk.create(R"({"name":"web"})"));
    const auto changed = value_of(desk.patch("web", R"({"labels":{"tier":"front"}})", true));
    CHECK(changed.jail.incarnation == 1);
    CHECK(value_of(desk.patch("web", "{}", true)).operation.empty());
    desk.work(value_of(desk.patch("web", R"({"running":false,"command":["sleep","1"]})", true)));
    CHECK(value_of(desk.patch("web", R"({"command":["sleep","2"]})", true)).jail.incarnation == 1);
}

TEST_CASE("who wants something else of a jail does not wait for its programs", "[supervisor][long]") {
    Desk desk;
    std::vector<JailId> interrupted;
    desk.house.kernel.hook = [&](std::string_view call, JailId id) -> Result<void> {
        if (call == "processes.interrupt") interrupted.push_back(id);
        return {};
    };
    const auto web = desk.create(R"({"name":"web"})").jail.id;
    value_of(desk.patch("web", R"({"labels":{"tier":"front"}})"));
    CHECK(interrupted.empty());
    value_of(desk.supervisor.restart(Desk::kAdmin, Desk::name("web"), {}, {}));
    CHECK(interrupted == std::vector{web});
    value_of(desk.patch("web", R"({"running":false})"));
    value_of(desk.remove("web"));
    CHECK(interrupted == std::vector{web, web, web});
}

TEST_CASE("a retry after its jail was removed is a conflict that says so", "[supervisor][retry]") {
    Desk desk;
    const Retry retry{.key = "once", .fingerprint = "POST web"};
    const auto made = desk.create(R"({"name":"web"})", retry);
    CHECK(desk.create(R"({"name":"web"})", retry).replayed);
    desk.work(value_of(desk.remove("web")));

    const auto refused =
        error_of(desk.supervisor.create(Desk::kAdmin, store_test::named(R"({"name":"web"})"), DryRun::no, retry));
    CHECK(refused.code == Errc::conflict);
    CHECK(refused.reason == "idempotency_key_spent");
    CHECK(refused.detail.find(made.operation) != std::string::npos);
}

TEST_CASE("a DELETE after one that failed begins a new operation", "[supervisor][remove]") {
    Desk desk;
    const auto web = desk.create(R"({"name":"web"})");
    desk.work(web);
    const auto first = value_of(desk.remove("web"));
    CHECK(value_of(desk.remove("web")).operation == first.operation);
    desk.house.kernel.faults().always("links.destroy", EPERM);
    desk.work(first);
    REQUIRE(desk.state_of(first.operation) == "failed");

    const auto second = value_of(desk.remove("web"));
    CHECK_FALSE(second.replayed);
    REQUIRE(second.operation != first.operation);
    CHECK(desk.state_of(second.operation) == "running");
    desk.house.kernel.faults().clear();
    desk.work(second);
    CHECK(desk.state_of(second.operation) == "succeeded");
}

TEST_CASE("a jail that failed and is alive can be looked into, others not", "[supervisor][exec]") {
    Desk desk;
    const auto exec = [&](const std::string& name) {
        return desk.supervisor.exec(Desk::kAdmin, Desk::name(name), {}, {.program = {.argv = {"true"}}, .stdio = {}});
    };
    desk.work(desk.create(R"({"name":"web","command":["missing"]})"));
    const auto web = value_of(desk.supervisor.get(Desk::kAdmin, Desk::name("web")));
    REQUIRE(web.status.state == JailState::failed);
    REQUIRE(web.status.jid != 0);
    CHECK(exec("web"));

    REQUIRE(desk.house.kernel.hand().take_name("db"));
    desk.work(desk.create(R"({"name":"db"})"));
    CHECK(error_of(exec("db")).reason == "jail_not_running");
    desk.create(R"({"name":"idle","running":false})");
    CHECK(error_of(exec("idle")).reason == "jail_not_running");
}
