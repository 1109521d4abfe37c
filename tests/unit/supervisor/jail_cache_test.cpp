#include "core/jail_cache.h"

#include "tests/unit/supervisor/desk.h"

using namespace jaild;
using namespace jaild::supervisor_test;

TEST_CASE("a jail whose removal was told of does not come back, whoever is late with its row", "[supervisor][cache]") {
    Desk desk;
    const auto web = desk.create(R"({"name":"web"})").jail;
    value_of(desk.remove("web"));
    value_of(desk.house.reconciler->reconcile(web.id));

    JailCache cache;
    for (const auto& event : value_of(desk.supervisor.events(Desk::kAdmin, EventSeq{}, 100))) cache.follow(event);
    cache.put(web);
    CHECK_FALSE(cache.find(web.name));
}

TEST_CASE("the removal of a jail leaves its successor of the same name alone", "[supervisor][cache]") {
    Desk desk;
    const auto old = desk.create(R"({"name":"web"})").jail;
    value_of(desk.remove("web"));
    value_of(desk.house.reconciler->reconcile(old.id));
    const auto next = desk.create(R"({"name":"web"})").jail;

    JailCache cache;
    cache.put(old);
    cache.put(next);
    for (const auto& event : value_of(desk.supervisor.events(Desk::kAdmin, EventSeq{}, 100))) cache.follow(event);
    REQUIRE(cache.find(next.name));
    CHECK(cache.find(next.name)->id == next.id);
    CHECK(cache.all().size() == 1);
}
