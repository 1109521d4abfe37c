#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/model/jail_spec.h"
#include "core/model/network.h"
#include "core/store/store.h"
#include "tests/results.h"
#include "tests/temp_directory.h"

/// What the store's tests share.
namespace jaild::store_test {

using test::error_of;
using test::value_of;

/// A clock that stands until a test moves it.
class StillClock final : public Clock {
public:
    Monotonic monotonic() override { return {}; }
    UtcTime utc() override { return now; }
    UtcTime now{1'795'000'000'000};
};

/// A state directory and the ways to open its database.
struct StateDirectory {
    test::TempDirectory directory{};
    StillClock clock{};

    [[nodiscard]] std::filesystem::path database() const { return directory.path() / "jaild.db"; }
    [[nodiscard]] store::StoreOptions options() const;
    /// The test fails when it cannot be opened.
    std::unique_ptr<store::Store> open();
    /// Like open(), with the network `default` in it.
    std::unique_ptr<store::Store> open_with_network();
    /// The Error of an attempt that must fail.
    Error refusal(const store::StoreOptions& options);
    Error refusal() { return refusal(options()); }
};

/// A store in memory, with the network `default`: 10.213.0.0/24 and fd12:3456:789a::/64.
struct MemoryState {
    explicit MemoryState(store::Retention keep = {}, std::string_view ipv4 = "10.213.0.0/24");
    StillClock clock{};
    std::unique_ptr<store::Store> store;
};

model::Network network(std::string_view name, std::string_view ipv4, std::string_view ipv6);
/// A spec as a client sends it, all other fields at their defaults.
model::NamedSpec named(std::string_view json);
/// {"name": name}
model::NamedSpec plain(const std::string& name);
/// A jail with that name, or the test fails.
model::Jail insert(store::Store& store, const model::NamedSpec& spec);
model::Jail insert(store::Store& store, const std::string& name);
/// The Error that inserting it meets; the test fails when there is none.
Error insert_refused(store::Store& store, const model::NamedSpec& spec);
/// Appends one event of a jail.
EventSeq append(store::Store& store, const std::string& jail = "web");
std::vector<model::Jail> all_jails(store::Store& store);
/// "10.213.0.2/24 fd12:3456:789a::2/64"
std::string addresses(const model::Jail& jail);

std::string content(const std::filesystem::path& file);

}  // namespace jaild::store_test
