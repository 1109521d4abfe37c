#include <array>

#include "api/v1/handlers.h"

namespace jaild::api {
namespace {

using namespace v1;
using enum Method;
using enum Access;

const std::array kRoutes{
    ServiceRoute{
        get, "/v1/jails", viewer, Content::none, {"limit", "cursor", "state", "template", "label"}, list_jails},
    ServiceRoute{post, "/v1/jails", operator_, Content::json, {"dry_run"}, create_jail},
    ServiceRoute{get, "/v1/jails/{name}", viewer, Content::none, {}, get_jail},
    ServiceRoute{put, "/v1/jails/{name}", operator_, Content::json, {"dry_run", "restart"}, replace_jail},
    ServiceRoute{patch, "/v1/jails/{name}", operator_, Content::merge_patch, {"dry_run", "restart"}, patch_jail},
    ServiceRoute{delete_, "/v1/jails/{name}", operator_, Content::none, {"dry_run", "force"}, delete_jail},
    ServiceRoute{get, "/v1/jails/{name}/plan", viewer, Content::none, {}, plan_jail},
    ServiceRoute{get, "/v1/jails/{name}/firewall", viewer, Content::none, {}, get_firewall},
    ServiceRoute{post, "/v1/jails/{name}/restart", operator_, Content::none, {}, restart_jail},
    ServiceRoute{post, "/v1/jails/{name}/upgrade", operator_, Content::json, {"dry_run"}, upgrade_jail},
    ServiceRoute{post, "/v1/jails/{name}/rollback", operator_, Content::none, {}, roll_back_jail},
    ServiceRoute{get, "/v1/jails/{name}/exec", operator_, Content::none, {}, stream_exec},
    ServiceRoute{post, "/v1/jails/{name}/exec", operator_, Content::json, {}, exec_in_jail},
    ServiceRoute{get, "/v1/jails/{name}/logs", viewer, Content::none, {"tail", "follow", "timestamps"}, read_log},
    ServiceRoute{get, "/v1/jails/{name}/stats", viewer, Content::none, {"interval"}, get_jail_stats},
    ServiceRoute{get, "/v1/jails/{name}/processes", viewer, Content::none, {}, list_processes},
    ServiceRoute{post, "/v1/jails/{name}/kill", operator_, Content::json, {}, kill_processes},
    ServiceRoute{get, "/v1/stats", viewer, Content::none, {"interval", "state", "template", "label"}, get_stats},
    ServiceRoute{get, "/v1/jails/{name}/export", operator_, Content::none, {"snapshot"}, export_jail},
    ServiceRoute{get, "/v1/jails/{name}/snapshots", viewer, Content::none, {}, list_snapshots_of_jail},
    ServiceRoute{post, "/v1/jails/{name}/snapshots", operator_, Content::json, {}, create_snapshot},
    ServiceRoute{get, "/v1/jails/{name}/snapshots/{snapshot}", viewer, Content::none, {}, get_snapshot},
    ServiceRoute{delete_, "/v1/jails/{name}/snapshots/{snapshot}", operator_, Content::none, {}, delete_snapshot},
    ServiceRoute{post, "/v1/jails/{name}/snapshots/{snapshot}/restore", operator_, Content::none, {}, restore_snapshot},
    ServiceRoute{post, "/v1/jails/{name}/snapshots/{snapshot}/clone", operator_, Content::json, {}, clone_snapshot},
    ServiceRoute{get, "/v1/snapshots", viewer, Content::none, {}, list_snapshots},
    ServiceRoute{get, "/v1/templates", viewer, Content::none, {}, list_templates},
    ServiceRoute{post, "/v1/templates", operator_, Content::json, {}, import_template},
    ServiceRoute{get, "/v1/templates/{name}", viewer, Content::none, {}, get_template},
    ServiceRoute{post,
                 "/v1/templates/{name}/archive",
                 operator_,
                 Content::stream,
                 {"sha256", "description", "private"},
                 upload_template},
    ServiceRoute{post, "/v1/templates/{name}/update", operator_, Content::json, {}, update_template},
    ServiceRoute{delete_, "/v1/templates/{name}", operator_, Content::none, {}, delete_template},
    ServiceRoute{post, "/v1/import/jail", operator_, Content::stream, {"name", "start"}, import_jail},
    ServiceRoute{get, "/v1/pools", viewer, Content::none, {}, list_pools},
    ServiceRoute{post, "/v1/pools", operator_, Content::json, {}, create_pool},
    ServiceRoute{get, "/v1/pools/{name}", viewer, Content::none, {}, get_pool},
    ServiceRoute{patch, "/v1/pools/{name}", operator_, Content::merge_patch, {}, patch_pool},
    ServiceRoute{delete_, "/v1/pools/{name}", operator_, Content::none, {}, delete_pool},
    ServiceRoute{post, "/v1/pools/{name}/take", operator_, Content::none, {}, take_from_pool},
    ServiceRoute{get, "/v1/networks", viewer, Content::none, {}, list_networks},
    ServiceRoute{post, "/v1/networks", operator_, Content::json, {"dry_run"}, create_network},
    ServiceRoute{get, "/v1/networks/{name}", viewer, Content::none, {}, get_network},
    ServiceRoute{put, "/v1/networks/{name}", operator_, Content::json, {"dry_run"}, replace_network},
    ServiceRoute{patch, "/v1/networks/{name}", operator_, Content::merge_patch, {"dry_run"}, patch_network},
    ServiceRoute{delete_, "/v1/networks/{name}", operator_, Content::none, {"dry_run"}, delete_network},
    ServiceRoute{get, "/v1/operations/{id}", viewer, Content::none, {}, get_operation},
    ServiceRoute{delete_, "/v1/operations/{id}", operator_, Content::none, {}, cancel_operation},
    ServiceRoute{get, "/v1/events", viewer, Content::none, {"after", "follow", "jail", "limit"}, get_events},
    ServiceRoute{get, "/v1/host", viewer, Content::none, {}, get_host},
    ServiceRoute{get, "/v1/host/backup", operator_, Content::none, {}, get_backup},
    ServiceRoute{get, "/v1/host/residue", operator_, Content::none, {}, list_residue},
    ServiceRoute{post, "/v1/host/residue", operator_, Content::none, {}, remove_residue},
    ServiceRoute{get, "/healthz", anyone, Content::none, {}, get_health},
    ServiceRoute{get, "/readyz", anyone, Content::none, {}, get_readiness},
    ServiceRoute{get, "/openapi.json", viewer, Content::none, {}, get_openapi},
};

}  // namespace

std::span<const ServiceRoute> service_routes() {
    return kRoutes;
}

void add_routes(Router& router, Service& service) {
    for (const auto& row : kRoutes) {
        Route route{.method = row.method,
                    .pattern = row.pattern,
                    .access = row.access,
                    .content = row.content,
                    .parameters = row.parameters};
        if (const auto* quick = std::get_if<ServiceRoute::Quick>(&row.handler))
            route.handler = [&service, call = *quick](const Request& request) { return call(service, request); };
        else
            route.handler = [&service, call = std::get<ServiceRoute::Slow>(row.handler)](const Request& request) {
                return call(service, request);
            };
        router.add(std::move(route));
    }
}

}  // namespace jaild::api
