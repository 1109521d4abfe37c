#include "core/kernel/limits.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/model/cpus.h"

namespace jaild::kernel {

Result<void> among_cpus(const std::string& cpus, const std::string& there) {
    const auto asked = model::parse_cpus(cpus).value_or(model::Cpus{});
    const auto all = model::parse_cpus(there).value_or(model::Cpus{});
    if (std::ranges::includes(all, asked)) return {};
    auto error = Error::invalid("no_such_cpu", {}, fmt::format("this host has the processors {}", there));
    error.op = "cpuset";
    return std::unexpected(std::move(error));
}

std::string listed_cpus(const std::string& own, const std::string& all, const std::string& asked) {
    const auto has = model::parse_cpus(own);
    if (!has) return {};
    if (model::parse_cpus(asked) == has) return asked;
    return model::parse_cpus(all) == has ? std::string() : model::to_string(*has);
}

}  // namespace jaild::kernel
