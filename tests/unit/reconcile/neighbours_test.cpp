#include "core/reconcile/neighbours.h"

#include <cerrno>

#include "core/reconcile/address_book.h"
#include "tests/unit/reconcile/house.h"
#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::reconcile::AddressBook;
using jaild::test::error_of;
using jaild::test::value_of;

namespace {

store::AddressOwner owner(std::int64_t jail, const std::string& name, std::int64_t network, const std::string& address,
                          bool isolated = false) {
    return {.jail = JailId{jail},
            .name = name,
            .network = NetworkId{network},
            .network_name = network == 1 ? "default" : "dmz",
            .address = value_of(IpAddress::parse(address)),
            .isolated = isolated};
}

Steps lines(const std::vector<kernel::HostEntry>& entries) {
    Steps found;
    for (const auto& entry : entries) {
        auto line = entry.address.to_string();
        for (const auto& name : entry.names) line += " " + name;
        found.push_back(line);
    }
    return found;
}

/// What that jail's hosts says of others.
Steps known_by(House& house, const model::Jail& jail) {
    return lines(house.kernel.state().directories.at(jail.id).neighbours);
}

std::string line_of(const model::Jail& jail, std::size_t address) {
    return jail.addresses().at(address).address.to_string() + " " + jail.name.text() + " " + jail.name.text() +
           ".default.jaild";
}

}  // namespace

TEST_CASE("a jail finds those on its own networks, and on no other", "[neighbours]") {
    const AddressBook book({owner(1, "web", 1, "10.213.0.2"), owner(1, "web", 1, "fd00::2"),
                            owner(2, "db", 1, "10.213.0.3"), owner(2, "db", 2, "10.213.1.2"),
                            owner(3, "mail", 2, "10.213.1.3")});
    CHECK(lines(book.neighbours(JailId{1})) == Steps{"10.213.0.3 db db.default.jaild"});
    CHECK(lines(book.neighbours(JailId{2})) ==
          Steps{"10.213.0.2 web web.default.jaild", "fd00::2 web web.default.jaild", "10.213.1.3 mail mail.dmz.jaild"});
    CHECK(lines(book.neighbours(JailId{3})) == Steps{"10.213.1.2 db db.dmz.jaild"});
    CHECK(book.neighbours(JailId{4}).empty());
    CHECK(book.knows(JailId{3}));
    CHECK_FALSE(book.knows(JailId{4}));
}

TEST_CASE("nobody is found on an isolated network, and nobody is called localhost", "[neighbours]") {
    const AddressBook book({owner(1, "web", 1, "10.213.0.2"), owner(2, "LocalHost", 1, "10.213.0.3"),
                            owner(1, "web", 2, "10.213.1.2", true), owner(3, "mail", 2, "10.213.1.3", true)});
    CHECK(lines(book.neighbours(JailId{1})) == Steps{"10.213.0.3 LocalHost.default.jaild"});
    CHECK(book.neighbours(JailId{3}).empty());
    CHECK(book.knows(JailId{3}));
}

TEST_CASE("the fingerprint of a jail's neighbours changes with them alone", "[neighbours]") {
    const std::vector base{owner(1, "web", 1, "10.213.0.2"), owner(2, "db", 1, "10.213.0.3"),
                           owner(3, "mail", 2, "10.213.1.3")};
    const AddressBook before(base);
    const auto with = [&](const store::AddressOwner& another) {
        auto owners = base;
        owners.push_back(another);
        return AddressBook(owners);
    };
    const auto nearby = with(owner(4, "new", 1, "10.213.0.4"));
    CHECK(nearby.fingerprint(JailId{1}) != before.fingerprint(JailId{1}));
    CHECK(nearby.fingerprint(JailId{3}) == before.fingerprint(JailId{3}));
    auto renamed = base;
    renamed[1].address = value_of(IpAddress::parse("10.213.0.33"));
    CHECK(AddressBook(renamed).fingerprint(JailId{1}) != before.fingerprint(JailId{1}));
    CHECK(AddressBook(base).fingerprint(JailId{1}) == before.fingerprint(JailId{1}));
}

TEST_CASE("running jails learn of those that come and go, at their own start and afterwards", "[neighbours]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    CHECK(known_by(house, web).empty());

    const auto db = house.create(R"({"name":"db"})");
    value_of(house.reconciler->reconcile(db.id));
    CHECK(known_by(house, web) == Steps{line_of(db, 0), line_of(db, 1)});
    CHECK(known_by(house, db) == Steps{line_of(web, 0), line_of(web, 1)});

    house.stop(db);
    value_of(house.reconciler->reconcile(db.id));
    CHECK(known_by(house, web).size() == 2);
    house.remove(db);
    value_of(house.reconciler->reconcile(db.id));
    CHECK(known_by(house, web).empty());
    CHECK(house.kernel.violations().empty());
}

TEST_CASE("a daemon that starts anew tells running jails what they missed", "[neighbours]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    const auto db = house.create(R"({"name":"db","running":false})");
    CHECK(known_by(house, web).empty());
    house.start_anew();
    value_of(house.reconciler->resync());
    CHECK(known_by(house, web) == Steps{line_of(db, 0), line_of(db, 1)});
}

TEST_CASE("names that could not be written are written at the next resync", "[neighbours]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    bool full = true;
    house.kernel.hook = [&](std::string_view call, JailId) -> Result<void> {
        if (!full || call != "roots.write_hosts") return {};
        return std::unexpected(Error::from_errno("write", ENOSPC, "injected"));
    };
    const auto db = house.create(R"({"name":"db"})");
    CHECK(error_of(house.reconciler->reconcile(db.id)).sys == ENOSPC);
    CHECK(house.status(db).state == model::JailState::running);
    CHECK(known_by(house, web).empty());
    CHECK_FALSE(house.reconciler->resync());
    full = false;
    value_of(house.reconciler->resync());
    CHECK(known_by(house, web) == Steps{line_of(db, 0), line_of(db, 1)});
}

TEST_CASE("a root of the user's own is not written to for the sake of names", "[neighbours]") {
    House house;
    const auto web = house.create(R"({"name":"web","root":{"kind":"path","path":"/srv/web"}})");
    value_of(house.reconciler->reconcile(web.id));
    const auto db = house.create(R"({"name":"db"})");
    value_of(house.reconciler->reconcile(db.id));
    CHECK(known_by(house, web).empty());
    CHECK(known_by(house, db).size() == 2);
}
