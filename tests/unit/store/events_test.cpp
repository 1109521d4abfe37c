#include <numeric>

#include "tests/catch.h"
#include "tests/unit/store/fixture.h"

using namespace jaild;
using namespace jaild::store_test;

namespace {

Result<std::vector<model::Event>> after(store::Store& store, std::int64_t seq, std::size_t limit = 1000) {
    return store::read<std::vector<model::Event>>(
        store, [&](store::Reader& reader) { return reader.events(EventSeq{seq}, limit); });
}

using Numbers = std::vector<std::int64_t>;

Numbers numbers(const std::vector<model::Event>& events) {
    Numbers found;
    for (const auto& event : events) found.push_back(event.seq.value);
    return found;
}

Numbers range(std::int64_t first, std::int64_t last) {
    Numbers all(static_cast<std::size_t>(last - first + 1));
    std::iota(all.begin(), all.end(), first);
    return all;
}

EventSeq last(store::Store& store) {
    return value_of(store::read<EventSeq>(store, [](store::Reader& reader) { return reader.last_event(); }));
}

}  // namespace

TEST_CASE("events come back as they were appended, in their order, in pages", "[store][events]") {
    MemoryState state;
    CHECK(last(*state.store).value == 0);
    CHECK(value_of(after(*state.store, 0)).empty());
    value_of(store::write<EventSeq>(*state.store, [](store::Writer& writer) {
        return writer.append_event("jail.created", "web", "0123456789abcdef", R"({"state":"starting"})");
    }));
    for (int i = 2; i <= 5; ++i) append(*state.store);
    CHECK(last(*state.store).value == 5);
    const auto first = value_of(after(*state.store, 0, 1));
    REQUIRE(first.size() == 1);
    CHECK(first[0].seq.value == 1);
    CHECK(first[0].at == state.clock.now);
    CHECK(first[0].type == "jail.created");
    CHECK(first[0].jail == "web");
    CHECK(first[0].operation == "0123456789abcdef");
    CHECK(first[0].data == R"({"state":"starting"})");
    CHECK(numbers(value_of(after(*state.store, 1, 2))) == Numbers{2, 3});
    CHECK(numbers(value_of(after(*state.store, 3))) == Numbers{4, 5});
    CHECK(value_of(after(*state.store, 5)).empty());
}

TEST_CASE("data that is not JSON is refused", "[store][events]") {
    MemoryState state;
    const auto refused = store::write<EventSeq>(
        *state.store, [](store::Writer& writer) { return writer.append_event("jail.state", "web", "", "{not json"); });
    CHECK(error_of(refused).reason == "invalid_event_data");
    CHECK(last(*state.store).value == 0);
}

TEST_CASE("the last events of a jail are found by its name", "[store][events]") {
    MemoryState state;
    for (int i = 0; i < 4; ++i) {
        append(*state.store, "web");
        append(*state.store, "db");
        append(*state.store, "");
    }
    const auto of = [&](const std::string& jail, std::size_t count) {
        return numbers(value_of(store::read<std::vector<model::Event>>(
            *state.store, [&](store::Reader& reader) { return reader.events_of(jail, count); })));
    };
    CHECK(of("web", 2) == Numbers{7, 10});
    CHECK(of("WEB", 100) == Numbers{1, 4, 7, 10});
    CHECK(of("none", 5).empty());
}

TEST_CASE("a client is told when events that it has not seen were pruned, and only then", "[store][events]") {
    MemoryState state({.events = 10});
    for (int i = 1; i <= 10; ++i) append(*state.store);
    CHECK(numbers(value_of(after(*state.store, 0))) == range(1, 10));  // at the bound: all there
    append(*state.store);
    append(*state.store);
    // Kept: 3 … 12.
    CHECK(numbers(value_of(after(*state.store, 2))) == range(3, 12));
    CHECK(numbers(value_of(after(*state.store, 3))) == range(4, 12));
    const auto gone = error_of(after(*state.store, 1));
    CHECK(gone.code == Errc::not_found);
    CHECK(gone.reason == "events_gone");
    CHECK(numbers(value_of(after(*state.store, 0))) == range(3, 12));  // "from the beginning of what there is"
}

TEST_CASE("a client that knows events of another history is told so", "[store][events]") {
    MemoryState state;
    CHECK(error_of(after(*state.store, 1)).reason == "events_gone");
    append(*state.store);
    CHECK(value_of(after(*state.store, 1)).empty());
    CHECK(error_of(after(*state.store, 2)).reason == "events_gone");
}

TEST_CASE("pruning never keeps less than its bound, nor more than a 64th above it", "[store][events]") {
    constexpr std::size_t keep = 128;
    MemoryState state({.events = keep});
    for (int i = 0; i < 400; ++i) {
        const auto newest = append(*state.store).value;
        const auto count = value_of(after(*state.store, 0, 10'000)).size();
        if (newest <= static_cast<std::int64_t>(keep)) continue;
        REQUIRE(count >= keep);
        REQUIRE(count < keep + keep / 64);
    }
}

TEST_CASE("a listener hears of the newest event after its commit, and of none that was undone", "[store][events]") {
    StateDirectory directory;
    MemoryState memory;
    auto file = directory.open();
    const bool in_memory = GENERATE(false, true);
    auto& store = in_memory ? *memory.store : *file;
    Numbers heard;
    store.on_events([&](EventSeq newest) { heard.push_back(newest.value); });
    append(store);
    value_of(store.write([](store::Writer& writer) -> Result<void> {
        for (int i = 0; i < 3; ++i) {
            if (auto seq = writer.append_event("jail.state", "web", "", ""); !seq) return std::unexpected(seq.error());
        }
        return {};
    }));
    value_of(store.write([](store::Writer&) -> Result<void> { return {}; }));
    CHECK_FALSE(store.write([](store::Writer& writer) -> Result<void> {
        if (auto seq = writer.append_event("jail.state", "web", "", ""); !seq) return std::unexpected(seq.error());
        return std::unexpected(Error{.code = Errc::invalid, .op = "test"});
    }));
    CHECK(heard == Numbers{1, 4});
    CHECK(append(store).value == 5);  // the number of the undone one is given out after all: no gap
}

TEST_CASE("event numbers go on after a restart", "[store][events]") {
    StateDirectory state;
    auto store = state.open();
    append(*store);
    append(*store);
    store.reset();
    store = state.open();
    CHECK(append(*store).value == 3);
}
