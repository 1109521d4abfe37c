#include "core/model/template.h"
#include "tests/results.h"
#include "tests/unit/store/fixture.h"

using namespace jaild;
using namespace jaild::store_test;
using jaild::test::error_of;
using jaild::test::value_of;

namespace {

model::TemplateRef parsed_reference(const std::string& text) {
    return value_of(model::TemplateRef::parse(text));
}

Result<model::Template> insert_template(store::Store& store, const std::string& name, const std::string& version) {
    return store::write<model::Template>(store, [&](store::Writer& writer) {
        return writer.insert_template(
            {.id = {}, .name = value_of(model::Name::parse(name)), .version = version, .private_parts = {"/opt/data"}});
    });
}

model::Template make_ready(store::Store& store, const std::string& name, const std::string& version) {
    auto made = value_of(insert_template(store, name, version));
    made.entries = 7;
    made.sets = {{.name = "base.txz", .sha256 = "ab", .bytes = 9}};
    return value_of(
        store::write<model::Template>(store, [&](store::Writer& writer) { return writer.finish_template(made); }));
}

Result<model::Template> find_version(store::Store& store, const std::string& text) {
    return store::read<model::Template>(
        store, [&](store::Reader& reader) { return reader.find_template(parsed_reference(text)); });
}

Result<model::Template> mark_template_going(store::Store& store, TemplateId id) {
    return store::write<model::Template>(store,
                                         [&](store::Writer& writer) { return writer.mark_template_removing(id); });
}

Result<void> erase_template(store::Store& store, TemplateId id) {
    return store.write([&](store::Writer& writer) { return writer.delete_template(id); });
}

Result<model::Jail> insert_jail(store::Store& store, const std::string& name, const std::string& from) {
    return store::write<model::Jail>(store, [&](store::Writer& writer) {
        return writer.insert_jail(named(R"({"name": ")" + name + R"(", "template": ")" + from + "\"}"));
    });
}

}  // namespace

TEST_CASE("a template comes back as it was made", "[store][templates]") {
    MemoryState state;
    const auto made = make_ready(*state.store, "freebsd", "14.2");
    CHECK(made.state == model::TemplateState::ready);
    CHECK(made.latest);
    CHECK(made.created_at == state.clock.now);
    CHECK(value_of(find_version(*state.store, "FREEBSD:14.2")) == made);
    CHECK(value_of(find_version(*state.store, "freebsd")) == made);
    CHECK(made.private_parts == std::vector<std::string>{"/opt/data"});
    CHECK(error_of(find_version(*state.store, "freebsd:9")).reason == "template_not_found");
    CHECK(error_of(store::write<model::Template>(*state.store, [&](store::Writer& writer) {
              return writer.finish_template(made);
          })).reason == "template_not_importing");
}

TEST_CASE("the latest version is the one that was made last, of those that are ready", "[store][templates]") {
    MemoryState state;
    auto& store = *state.store;
    make_ready(store, "freebsd", "14.2");
    const auto second = make_ready(store, "freebsd", "13.5");
    make_ready(store, "debian", "12");
    CHECK(value_of(insert_template(store, "freebsd", "15.0")).state == model::TemplateState::importing);
    CHECK(value_of(find_version(store, "freebsd")).version == "13.5");
    CHECK_FALSE(value_of(find_version(store, "freebsd:14.2")).latest);
    CHECK_FALSE(value_of(find_version(store, "freebsd:15.0")).latest);
    value_of(mark_template_going(store, second.id));
    CHECK(value_of(find_version(store, "freebsd")).version == "14.2");
    CHECK(value_of(find_version(store, "freebsd:14.2")).latest);
}

TEST_CASE("a version that nobody gave is the next number, and one that is taken is refused", "[store][templates]") {
    MemoryState state;
    auto& store = *state.store;
    CHECK(value_of(insert_template(store, "freebsd", "")).version == "1");
    make_ready(store, "freebsd", "41");
    make_ready(store, "freebsd", "99-x");
    make_ready(store, "debian", "80");
    CHECK(value_of(insert_template(store, "FreeBSD", "")).version == "42");
    CHECK(error_of(insert_template(store, "FREEBSD", "99-X")).reason == "template_exists");
    const auto going = value_of(find_version(store, "freebsd:41"));
    value_of(mark_template_going(store, going.id));
    CHECK(error_of(insert_template(store, "freebsd", "41")).reason == "template_exists");
    value_of(erase_template(store, going.id));
    CHECK(value_of(insert_template(store, "freebsd", "41")).id > going.id);  // no id is given out twice
    CHECK(error_of(erase_template(store, going.id)).reason == "template_not_found");
}

TEST_CASE("a jail's spec gets the exact version, and its template stays", "[store][templates][jails]") {
    MemoryState state;
    auto& store = *state.store;
    const auto first = make_ready(store, "freebsd", "14.1");
    const auto jail = value_of(insert_jail(store, "web", "FreeBSD"));
    CHECK(jail.spec.template_name == "freebsd:14.1");
    REQUIRE(jail.base);
    CHECK(jail.base->id == first.id);
    CHECK(jail.base->private_parts == std::vector<std::string>{"/opt/data"});
    CHECK_FALSE(value_of(insert_jail(store, "other", "host")).base);

    make_ready(store, "freebsd", "14.2");
    const auto again = store::read<model::Jail>(store, [&](store::Reader& reader) { return reader.jail(jail.id); });
    CHECK(value_of(again).spec.template_name == "freebsd:14.1");
    const auto refused = error_of(mark_template_going(store, first.id));
    CHECK(refused.reason == "template_in_use");
    CHECK(refused.detail.find("web") != std::string::npos);
    CHECK_FALSE(erase_template(store, first.id));

    value_of(store.write([&](store::Writer& writer) { return writer.delete_jail(jail.id); }));
    value_of(mark_template_going(store, first.id));
    value_of(erase_template(store, first.id));
}

TEST_CASE("a jail is made only from a template that is ready", "[store][templates][jails]") {
    MemoryState state;
    auto& store = *state.store;
    CHECK(error_of(insert_jail(store, "web", "freebsd")).reason == "template_unknown");
    value_of(insert_template(store, "freebsd", "14.2"));
    CHECK(error_of(insert_jail(store, "web", "freebsd")).reason == "template_unknown");
    const auto importing = error_of(insert_jail(store, "web", "freebsd:14.2"));
    CHECK(importing.reason == "template_not_ready");
    CHECK(importing.field == "/template");
    const auto going = make_ready(store, "debian", "12");
    value_of(mark_template_going(store, going.id));
    CHECK(error_of(insert_jail(store, "web", "debian:12")).reason == "template_not_ready");
}

TEST_CASE("operations of a template are its own", "[store][templates][operations]") {
    MemoryState state;
    auto& store = *state.store;
    const auto made = value_of(insert_template(store, "freebsd", "14.2"));
    const auto operation = value_of(store::write<model::Operation>(store, [&](store::Writer& writer) {
        return writer.insert_operation(
            {.kind = "template.import", .template_id = made.id, .template_name = made.reference()});
    }));
    const auto running = [&](auto id) {
        return value_of(store::read<std::vector<model::Operation>>(
            store, [&](store::Reader& reader) { return reader.running_operations(id); }));
    };
    REQUIRE(running(made.id).size() == 1);
    CHECK(running(made.id)[0].id == operation.id);
    CHECK(running(made.id)[0].template_name == "freebsd:14.2");
    CHECK(running(TemplateId{}).empty());
    CHECK(running(JailId{1}).empty());
}
