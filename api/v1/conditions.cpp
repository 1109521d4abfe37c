#include "api/v1/conditions.h"

#include "api/http/precondition.h"

namespace jaild::api::v1 {
namespace {

/// Of several entity tags, core is asked about the one that the jail has now, if any of them is it.
std::string tag_to_ask(Service& service, const Request& request, const model::Name& name, const EntityTags& tags) {
    if (tags.any) return "*";
    auto document = service.supervisor.document(request.caller, name);
    if (document && tags.strongly_match(document->etag)) return document->etag;
    return tags.tags.front();
}

}  // namespace

Result<Precondition> precondition_of(Service& service, const Request& request, const model::Name& name) {
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
    if (*match) precondition.if_match = tag_to_ask(service, request, name, **match);
    if (*none) precondition.if_none_match = "*";
    return precondition;
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
