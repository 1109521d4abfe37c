#pragma once

#include "core/kernel/freebsd/inside.h"
#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/jails.h"

namespace jaild::kernel {

/// Jails by jail_set(2), jail_get(2) and jail_remove(2). Ours is what has one of our roots as its path.
class FreeBsdJails final : public Jails {
public:
    explicit FreeBsdJails(const DriverOptions& options) : places_(options), inside_(options.helper_directory) {}

    Result<std::vector<ObservedJail>> list(Scope scope) override;
    Result<void> check_name(const model::Name& name, JailId id) override;
    Result<void> check(const model::JailSpec& spec) override;
    Result<model::Parameters> parameters(JailId id, const std::vector<std::string>& names) override;
    Result<void> create(const JailParameters& parameters) override;
    Result<void> update(const JailParameters& parameters) override;
    Result<void> remove(JailId id) override;
    Result<Applied> applied(JailId id) override;
    Result<void> record(JailId id, const Applied& applied) override;

private:
    freebsd::Places places_;
    freebsd::Inside inside_;
};

}  // namespace jaild::kernel
