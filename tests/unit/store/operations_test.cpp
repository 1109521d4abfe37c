#include <fmt/format.h>

#include <set>

#include "tests/catch.h"
#include "tests/unit/store/fixture.h"

using namespace jaild;
using namespace jaild::store_test;

namespace {

model::Operation begin(store::Store& store, JailId jail, const std::string& kind = "create") {
    return value_of(store::write<model::Operation>(store, [&](store::Writer& writer) {
        return writer.insert_operation(
            {.id = {}, .kind = kind, .jail = jail, .jail_name = "web", .generation = 3, .incarnation = 2});
    }));
}

Result<void> update(store::Store& store, const model::Operation& operation) {
    return store.write([&](store::Writer& writer) { return writer.update_operation(operation); });
}

Result<model::Operation> find_operation(store::Store& store, const std::string& id) {
    return store::read<model::Operation>(store, [&](store::Reader& reader) { return reader.operation(id); });
}

Result<void> remember(store::Store& store, const std::string& principal, const std::string& key) {
    return store.write([&](store::Writer& writer) {
        return writer.remember(principal, key, {.fingerprint = "f-" + key, .operation = "o-" + key});
    });
}

std::optional<store::IdempotentReply> reply(store::Store& store, const std::string& principal, const std::string& key) {
    return value_of(store::read<std::optional<store::IdempotentReply>>(
        store, [&](store::Reader& reader) { return reader.idempotent(principal, key); }));
}

}  // namespace

TEST_CASE("an operation is kept from its beginning to its end", "[store][operations]") {
    MemoryState state;
    auto operation = begin(*state.store, JailId{7});
    CHECK(operation.id.size() == 16);
    CHECK(operation.id.find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK(operation.created_at == state.clock.now);

    operation.steps = {"mount /usr", "bytes \xff"};
    operation.state = model::OperationState::failed;
    operation.problem = model::Problem{.kind = Errc::busy,
                                       .code = "mount_busy",
                                       .detail = "mount: busy",
                                       .field = "/root",
                                       .remedy = "unmount it",
                                       .sys = 16};
    state.clock.now.milliseconds += 500;
    value_of(update(*state.store, operation));

    const auto found = value_of(find_operation(*state.store, operation.id));
    CHECK(found.kind == "create");
    CHECK(found.jail == JailId{7});
    CHECK(found.jail_name == "web");
    CHECK(found.generation == 3);
    CHECK(found.incarnation == 2);
    CHECK(found.state == model::OperationState::failed);
    REQUIRE(found.steps.size() == 2);
    CHECK(found.steps[0] == "mount /usr");
    CHECK(found.problem == operation.problem);
    CHECK(found.finished_at == state.clock.now);
}

TEST_CASE("an operation that is not there is not found", "[store][operations]") {
    MemoryState state;
    CHECK(error_of(find_operation(*state.store, "0123456789abcdef")).reason == "operation_not_found");
    model::Operation unknown{};
    unknown.id = "0123456789abcdef";
    CHECK(error_of(update(*state.store, unknown)).reason == "operation_not_found");
}

TEST_CASE("the operations that a jail still has under way are found, oldest first", "[store][operations]") {
    MemoryState state;
    auto first = begin(*state.store, JailId{7});
    const auto second = begin(*state.store, JailId{7}, "update");
    begin(*state.store, JailId{8});
    const auto running = [&] {
        return value_of(store::read<std::vector<model::Operation>>(
            *state.store, [](store::Reader& reader) { return reader.running_operations(JailId{7}); }));
    };
    REQUIRE(running().size() == 2);
    CHECK(running()[0].id == first.id);
    CHECK(running()[1].id == second.id);
    first.state = model::OperationState::succeeded;
    value_of(update(*state.store, first));
    REQUIRE(running().size() == 1);
    CHECK(running()[0].id == second.id);
}

TEST_CASE("an operation keeps its last 64 steps", "[store][operations]") {
    MemoryState state;
    auto operation = begin(*state.store, JailId{1});
    for (int i = 0; i < 100; ++i) operation.steps.push_back(std::to_string(i));
    value_of(update(*state.store, operation));
    const auto found = value_of(find_operation(*state.store, operation.id));
    REQUIRE(found.steps.size() == 64);
    CHECK(found.steps.front() == "36");
    CHECK(found.steps.back() == "99");
}

TEST_CASE("old operations go, those under way stay", "[store][operations]") {
    MemoryState state({.operations = 5});
    const auto under_way = begin(*state.store, JailId{1});
    std::vector<model::Operation> ended;
    for (int i = 0; i < 10; ++i) {
        ended.push_back(begin(*state.store, JailId{2}));
        ended.back().state = model::OperationState::succeeded;
        value_of(update(*state.store, ended.back()));
    }
    CHECK(find_operation(*state.store, under_way.id));
    CHECK(find_operation(*state.store, ended[5].id));
    CHECK_FALSE(find_operation(*state.store, ended[4].id));
}

TEST_CASE("an operation that a kept idempotency key names stays, for whoever asks again", "[store][operations]") {
    MemoryState state({.operations = 5, .idempotency_keys = 2});
    auto named = begin(*state.store, JailId{1});
    named.state = model::OperationState::succeeded;
    value_of(update(*state.store, named));
    value_of(state.store->write([&](store::Writer& writer) {
        return writer.remember("uid:0", "k", {.fingerprint = "f", .operation = named.id});
    }));
    const auto many_more = [&] {
        for (int i = 0; i < 10; ++i) {
            auto other = begin(*state.store, JailId{2});
            other.state = model::OperationState::succeeded;
            value_of(update(*state.store, other));
        }
    };
    many_more();
    CHECK(find_operation(*state.store, named.id));
    for (int i = 0; i < 5; ++i) value_of(remember(*state.store, "uid:0", std::to_string(i)));
    REQUIRE_FALSE(reply(*state.store, "uid:0", "k"));
    many_more();
    CHECK_FALSE(find_operation(*state.store, named.id));
}

TEST_CASE("an idempotency key belongs to whoever used it first, and to nobody else", "[store][idempotency]") {
    MemoryState state;
    value_of(remember(*state.store, "uid:0", "k"));
    const auto found = reply(*state.store, "uid:0", "k");
    REQUIRE(found);
    CHECK(found->fingerprint == "f-k");
    CHECK(found->operation == "o-k");
    CHECK_FALSE(reply(*state.store, "token:ci", "k"));
    CHECK_FALSE(reply(*state.store, "uid:0", "K"));
    const auto again = error_of(remember(*state.store, "uid:0", "k"));
    CHECK(again.code == Errc::conflict);
    CHECK(again.reason == "idempotency_key_reused");
    CHECK(remember(*state.store, "token:ci", "k"));
}

TEST_CASE("a key is forgotten together with the change that failed", "[store][idempotency]") {
    MemoryState state;
    const auto failed = state.store->write([](store::Writer& writer) -> Result<void> {
        auto kept = writer.remember("uid:0", "k", {.fingerprint = "f", .operation = "o"});
        if (!kept) return kept;
        return std::unexpected(Error{.code = Errc::invalid, .op = "test"});
    });
    CHECK(error_of(failed).code == Errc::invalid);
    CHECK_FALSE(reply(*state.store, "uid:0", "k"));
}

TEST_CASE("old idempotency keys go", "[store][idempotency]") {
    MemoryState state({.idempotency_keys = 3});
    for (int i = 1; i <= 5; ++i) value_of(remember(*state.store, "uid:0", std::to_string(i)));
    CHECK_FALSE(reply(*state.store, "uid:0", "2"));
    CHECK(reply(*state.store, "uid:0", "3"));
    CHECK(reply(*state.store, "uid:0", "5"));
}

TEST_CASE("the audit keeps who did what, in order, up to its bound", "[store][audit]") {
    MemoryState state({.audit = 3});
    for (int i = 1; i <= 5; ++i) {
        state.clock.now.milliseconds += 1;
        value_of(state.store->write([&](store::Writer& writer) {
            return writer.append_audit(
                {.principal = "uid:0", .action = "jail.create", .object = std::to_string(i), .outcome = "accepted"});
        }));
    }
    const auto read = [&](std::size_t count) {
        return value_of(store::read<std::vector<store::AuditEntry>>(
            *state.store, [&](store::Reader& reader) { return reader.audit(count); }));
    };
    REQUIRE(read(100).size() == 3);
    CHECK(read(100)[0].object == "3");
    CHECK(read(1)[0].object == "5");
    CHECK(read(1)[0].action == "jail.create");
    CHECK(read(1)[0].at == state.clock.now);
}
