#include "api/v1/conditions.h"

#include <functional>

#include "api/http/precondition.h"

namespace jaild::api::v1 {
namespace {

/// Of several entity tags, core is asked about the one that the thing has now, if any of them is it.
std::string tag_to_ask(const std::string& current, const EntityTags& tags) {
    if (tags.any) return "*";
    return tags.strongly_match(current) ? current : tags.tags.front();
}

/// `current`: its entity tag now, empty when there is none; asked for when somebody wants to know.
Result<Precondition> read_precondition(const Request& request, const std::function<std::string()>& current) {
    Precondition precondition;
    auto match = entity_tags(request, "If-Match");
    if (!match) return std::unexpected(match.error());
    auto none = entity_tags(request, "If-None-Match");
    if (!none) return std::unexpected(none.error());
    if (*none && !(*none)->any)
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "precondition",
                                     .detail = "a change understands If-None-Match with \"*\" only",
                                     .reason = "invalid_precondition"});
    if (*match) precondition.if_match = tag_to_ask(current(), **match);
    if (*none) precondition.if_none_match = "*";
    return precondition;
}

}  // namespace

Result<Precondition> precondition_of(Service& service, const Request& request, const model::Name& name) {
    return read_precondition(request, [&] {
        auto document = service.supervisor.document(request.caller, name);
        return document ? std::move(document->etag) : std::string();
    });
}

Result<Precondition> network_precondition_of(Service& service, const Request& request, const model::Name& name) {
    return read_precondition(request, [&] {
        const auto network = service.supervisor.network(request.caller, name.text());
        return network ? model::etag(network->network) : std::string();
    });
}

Result<void> refuse_precondition(const Request& request) {
    for (const auto* field : {"If-Match", "If-None-Match"})
        if (request.field(field))
            return std::unexpected(Error{.code = Errc::invalid,
                                         .op = "precondition",
                                         .detail = std::string(field) + " means nothing here: there is no entity tag",
                                         .reason = "invalid_precondition",
                                         .remedy = "leave it out"});
    return {};
}

}  // namespace jaild::api::v1
