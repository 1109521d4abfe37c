#include "tests/catch.h"
#include "tests/unit/store/fixture.h"

using namespace jaild;
using namespace jaild::store_test;

namespace {

model::NamedSpec with_datasets(const std::string& name, const std::string& datasets) {
    return named(R"({"name": ")" + name + R"(", "datasets": )" + datasets + "}");
}

model::NamedSpec mounting(const std::string& name, const std::string& source) {
    return named(R"({"name": ")" + name + R"(", "mounts": [{"type": "zfs", "target": "/data", "source": ")" + source +
                 R"("}]})");
}

std::string refused_at(store::Store& store, const model::NamedSpec& spec) {
    const auto error = insert_refused(store, spec);
    CHECK(error.code == Errc::conflict);
    CHECK(error.name() == "dataset_in_use");
    CHECK(error.detail.find("\"web\"") != std::string::npos);
    CHECK_FALSE(error.remedy.empty());
    return error.field;
}

}  // namespace

TEST_CASE("no two jails have a dataset, nor one within another's", "[store][datasets]") {
    MemoryState state;
    const auto web = insert(*state.store, with_datasets("web", R"(["tank/a", "tank/b/deep"])"));
    for (const char* taken : {"tank/a", "tank/a/x", "tank", "tank/b", "tank/b/deep"}) {
        INFO(taken);
        CHECK(refused_at(*state.store, with_datasets("db", R"(["pool/x", ")" + std::string(taken) + R"("])")) ==
              "/datasets/1");
    }
    (void)insert(*state.store, with_datasets("db", R"(["tank/ab", "tank/b/other"])"));

    // Its own are no obstacle to a jail, also while it goes; gone, they are free.
    const auto update = [&](const model::JailSpec& spec) {
        return store::write<model::Jail>(*state.store,
                                         [&](store::Writer& writer) { return writer.update_jail(web.id, spec); });
    };
    auto spec = web.spec;
    spec.datasets = {"tank/a/deeper"};
    CHECK(update(spec).has_value());
    spec.datasets = {"tank/ab"};
    CHECK(error_of(update(spec)).name() == "dataset_in_use");
    value_of(
        store::write<model::Jail>(*state.store, [&](store::Writer& writer) { return writer.mark_removing(web.id); }));
    CHECK(refused_at(*state.store, with_datasets("new", R"(["tank/a"])")) == "/datasets/0");
    value_of(state.store->write([&](store::Writer& writer) { return writer.delete_jail(web.id); }));
    (void)insert(*state.store, with_datasets("new", R"(["tank/a"])"));
}

TEST_CASE("what one jail is given the host mounts in no other", "[store][datasets]") {
    MemoryState state;
    SECTION("given first") {
        (void)insert(*state.store, with_datasets("web", R"(["tank/a"])"));
        CHECK(refused_at(*state.store, mounting("db", "tank/a/deep")) == "/mounts/0/source");
        (void)insert(*state.store, mounting("db", "tank/b"));
    }
    SECTION("mounted first") {
        (void)insert(*state.store, mounting("web", "tank/a"));
        CHECK(refused_at(*state.store, with_datasets("db", R"(["tank"])")) == "/datasets/0");
        // Shown to several it may be.
        (void)insert(*state.store, mounting("db", "tank/a"));
    }
}
