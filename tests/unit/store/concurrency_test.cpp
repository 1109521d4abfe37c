#include <fmt/format.h>

#include <atomic>
#include <latch>
#include <set>
#include <stdexcept>
#include <thread>

#include "tests/catch.h"
#include "tests/unit/store/fixture.h"

using namespace jaild;
using namespace jaild::store_test;

namespace {

/// Runs `work(i)` on as many threads at once, and joins them. No assertions in there: Catch2 is not thread-safe.
template <class F>
void in_parallel(int threads, F&& work) {
    std::vector<std::thread> running;
    std::latch start(threads);
    for (int i = 0; i < threads; ++i) {
        running.emplace_back([&, i] {
            start.arrive_and_wait();
            work(i);
        });
    }
    for (auto& thread : running) thread.join();
}

Result<void> insert_one(store::Store& store, const std::string& name) {
    return store.write([&](store::Writer& writer) -> Result<void> {
        auto jail = writer.insert_jail(plain(name));
        if (!jail) return std::unexpected(jail.error());
        return {};
    });
}

}  // namespace

TEST_CASE("64 jails asked for at once never get one address twice", "[store][concurrency]") {
    StateDirectory directory;
    MemoryState memory;
    auto file = directory.open_with_network();
    const bool in_memory = GENERATE(false, true);
    auto& store = in_memory ? *memory.store : *file;
    std::atomic<int> accepted = 0;
    in_parallel(64, [&](int i) { accepted += insert_one(store, fmt::format("j{}", i)).has_value(); });
    CHECK(accepted == 64);
    std::set<std::string> addresses_seen;
    std::set<std::int64_t> ids;
    for (const auto& jail : all_jails(store)) {
        ids.insert(jail.id.value);
        for (const auto& address : jail.addresses()) addresses_seen.insert(address.to_string());
    }
    CHECK(ids.size() == 64);
    CHECK(addresses_seen.size() == 128);
}

TEST_CASE("of many that ask for one name at once, one gets it", "[store][concurrency]") {
    StateDirectory directory;
    auto store = directory.open_with_network();
    std::atomic<int> accepted = 0;
    std::atomic<int> refused = 0;
    in_parallel(16, [&](int i) {
        auto done = insert_one(*store, i % 2 == 0 ? "web" : "WEB");
        accepted += done.has_value();
        refused += !done && done.error().reason == "name_in_use";
    });
    CHECK(accepted == 1);
    CHECK(refused == 15);
}

TEST_CASE("a reader sees one moment, whatever is written meanwhile", "[store][concurrency]") {
    StateDirectory directory;
    auto store = directory.open_with_network();
    insert(*store, "first");
    value_of(store->read([&](store::Reader& reader) -> Result<void> {
        const auto before = value_of(reader.all_jails()).size();
        std::thread writer([&] { (void)insert_one(*store, "second"); });
        writer.join();
        CHECK(before == 1);
        CHECK(value_of(reader.all_jails()).size() == 1);
        return {};
    }));
    CHECK(all_jails(*store).size() == 2);
}

TEST_CASE("a pair that is always written together is never read apart", "[store][concurrency]") {
    StateDirectory directory;
    auto store = directory.open_with_network();
    std::atomic<bool> stop = false;
    std::atomic<int> torn = 0;
    std::atomic<int> failed = 0;
    std::vector<std::thread> readers;
    for (int i = 0; i < 8; ++i) {  // more than there are connections
        readers.emplace_back([&] {
            while (!stop) {
                auto done = store->read([&](store::Reader& reader) -> Result<void> {
                    auto last = reader.last_event();
                    auto jails = reader.all_jails();
                    if (!last || !jails) return std::unexpected(Error{});
                    torn += static_cast<std::int64_t>(jails->size()) != last->value;
                    return {};
                });
                failed += !done;
            }
        });
    }
    in_parallel(4, [&](int thread) {
        for (int i = 0; i < 25; ++i) {
            auto done = store->write([&](store::Writer& writer) -> Result<void> {
                auto jail = writer.insert_jail(plain(fmt::format("j{}-{}", thread, i)));
                if (!jail) return std::unexpected(jail.error());
                auto event = writer.append_event("jail.created", jail->name.text(), "", "");
                if (!event) return std::unexpected(event.error());
                return {};
            });
            failed += !done;
        }
    });
    stop = true;
    for (auto& reader : readers) reader.join();
    CHECK(torn == 0);
    CHECK(failed == 0);
    CHECK(all_jails(*store).size() == 100);
}

TEST_CASE("a transaction inside another one is refused instead of waiting for itself", "[store][concurrency]") {
    StateDirectory directory;
    MemoryState memory;
    auto file = directory.open_with_network();
    const bool in_memory = GENERATE(false, true);
    auto& store = in_memory ? *memory.store : *file;
    Result<void> inner_write;
    Result<void> inner_read;
    value_of(store.write([&](store::Writer&) -> Result<void> {
        inner_write = store.write([](store::Writer&) -> Result<void> { return {}; });
        return {};
    }));
    value_of(store.read([&](store::Reader&) -> Result<void> {
        inner_read = store.read([](store::Reader&) -> Result<void> { return {}; });
        return {};
    }));
    CHECK(error_of(inner_write).reason == "nested_transaction");
    CHECK(error_of(inner_read).reason == "nested_transaction");
}

TEST_CASE("what a work function throws is an Error, undoes its changes and ends nothing else", "[store][concurrency]") {
    StateDirectory directory;
    auto store = directory.open_with_network();
    const auto thrown = store->write([](store::Writer& writer) -> Result<void> {
        (void)writer.insert_jail(plain("web"));
        throw std::runtime_error("surprise");
    });
    const auto error = error_of(thrown);
    CHECK(error.code == Errc::kernel);
    CHECK(error.detail.find("surprise") != std::string::npos);
    CHECK_FALSE(store->read([](store::Reader&) -> Result<void> { throw 7; }));
    CHECK(all_jails(*store).empty());
    insert(*store, "web");
    CHECK(all_jails(*store).size() == 1);
}
