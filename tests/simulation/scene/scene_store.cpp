#include "tests/simulation/scene/scene_store.h"

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>

#include "core/store/recover.h"

namespace jaild::simulation {
namespace fs = std::filesystem;
namespace {

constexpr const char* kHost = "memory";

fs::path new_directory() {
    std::error_code none;
    const auto parent = fs::is_directory("/dev/shm", none) ? fs::path("/dev/shm") : fs::temp_directory_path();
    auto pattern = (parent / "jaild-simulation.XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no directory in " + parent.string());
    return pattern;
}

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().to_string());
    return *std::move(result);
}

/// Everything that must not be lost.
struct Rows {
    std::vector<model::Jail> jails;
    std::vector<model::Network> networks;
    std::vector<model::Template> templates;
    std::vector<model::Snapshot> snapshots;
};

Rows read_all(store::Store& store) {
    return must(store::read<Rows>(store, [](store::Reader& reader) -> Result<Rows> {
        return Rows{must(reader.all_jails()), must(reader.networks()), must(reader.templates()),
                    must(reader.snapshots())};
    }));
}

bool same(const model::Jail& one, const model::Jail& other) {
    return one.id == other.id && one.name == other.name && one.spec == other.spec &&
           one.generation == other.generation && one.incarnation == other.incarnation && one.since == other.since &&
           one.removing == other.removing && one.interfaces == other.interfaces && one.base == other.base &&
           one.root_change == other.root_change && one.pool == other.pool;
}

}  // namespace

SceneStore::SceneStore(Keeping keeping, Clock& clock) : keeping_(keeping), clock_(clock) {
    if (keeping == Keeping::on_disk) directory_ = new_directory();
    open();
}

SceneStore::~SceneStore() {
    store_.reset();
    std::error_code gone;
    if (!directory_.empty()) fs::remove_all(directory_, gone);
}

void SceneStore::open() {
    store::StoreOptions options{.path = ":memory:", .host_identity = kHost};
    if (keeping_ == Keeping::on_disk) {
        options.path = directory_ / "jaild.db";
        options.records = directory_ / "records";
    }
    store_ = must(store::Store::open(options, clock_));
}

std::vector<std::string> SceneStore::lose_and_recover() {
    const auto before = read_all(*store_);
    store_.reset();
    const auto database = directory_ / "jaild.db";
    for (const auto* ending : {"", "-wal", "-shm"}) fs::remove(database.string() + ending);
    const auto recovered =
        must(store::recover({.database = database, .records = directory_ / "records", .host_identity = kHost}));
    open();

    auto problems = recovered.lost;
    const auto after = read_all(*store_);
    if (before.jails.size() != after.jails.size() ||
        !std::equal(before.jails.begin(), before.jails.end(), after.jails.begin(), same))
        problems.push_back(
            fmt::format("{} jails, {} of a lost database: not the same", before.jails.size(), after.jails.size()));
    if (before.networks != after.networks) problems.emplace_back("networks were not as before the database was lost");
    if (before.templates != after.templates)
        problems.emplace_back("templates were not as before the database was lost");
    if (before.snapshots != after.snapshots)
        problems.emplace_back("snapshots were not as before the database was lost");
    return problems;
}

}  // namespace jaild::simulation
