#include "tests/unit/store/fixture.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/catch.h"

namespace jaild::store_test {

store::StoreOptions StateDirectory::options() const {
    return {.path = database(), .host_identity = "this-host"};
}

std::unique_ptr<store::Store> StateDirectory::open() {
    return value_of(store::Store::open(options(), clock));
}

std::unique_ptr<store::Store> StateDirectory::open_with_network() {
    auto opened = open();
    value_of(store::write<model::Network>(*opened, [](store::Writer& writer) {
        return writer.insert_network(network("default", "10.213.0.0/16", "fd12:3456:789a::/64"));
    }));
    return opened;
}

Error StateDirectory::refusal(const store::StoreOptions& with) {
    return error_of(store::Store::open(with, clock));
}

MemoryState::MemoryState(store::Retention keep, std::string_view ipv4) {
    store = value_of(store::Store::open({.path = ":memory:", .host_identity = "this-host", .keep = keep}, clock));
    value_of(store::write<model::Network>(*store, [&](store::Writer& writer) {
        return writer.insert_network(network("default", ipv4, "fd12:3456:789a::/64"));
    }));
}

model::Network network(std::string_view name, std::string_view ipv4, std::string_view ipv6) {
    return {.id = {}, .name = *model::Name::parse(name), .ipv4 = *Prefix::parse(ipv4), .ipv6 = *Prefix::parse(ipv6)};
}

model::NamedSpec named(std::string_view json) {
    return value_of(model::parse_named_spec(nlohmann::json::parse(json)));
}

model::NamedSpec plain(const std::string& name) {
    return {.name = *model::Name::parse(name), .spec = {}};
}

model::Jail insert(store::Store& store, const model::NamedSpec& spec) {
    return value_of(store::write<model::Jail>(store, [&](store::Writer& writer) { return writer.insert_jail(spec); }));
}

model::Jail insert(store::Store& store, const std::string& name) {
    return insert(store, plain(name));
}

Error insert_refused(store::Store& store, const model::NamedSpec& spec) {
    return error_of(store::write<model::Jail>(store, [&](store::Writer& writer) { return writer.insert_jail(spec); }));
}

EventSeq append(store::Store& store, const std::string& jail) {
    return value_of(store::write<EventSeq>(
        store, [&](store::Writer& writer) { return writer.append_event("jail.state", jail, "", "{}"); }));
}

std::vector<model::Jail> all_jails(store::Store& store) {
    return value_of(
        store::read<std::vector<model::Jail>>(store, [](store::Reader& reader) { return reader.all_jails(); }));
}

std::string addresses(const model::Jail& jail) {
    std::string text;
    for (const auto& address : jail.addresses()) text += (text.empty() ? "" : " ") + address.to_string();
    return text;
}

std::string content(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace jaild::store_test
