#pragma once

#include "api/http/message.h"
#include "api/v1/service.h"

/// The handlers, each in the file of its resource.
namespace jaild::api::v1 {

using Answer = asio::awaitable<Response>;

// jails.cpp
Response list_jails(Service& service, const Request& request);
Response get_jail(Service& service, const Request& request);
Answer plan_jail(Service& service, const Request& request);
// firewall.cpp
Answer get_firewall(Service& service, const Request& request);
// jail_changes.cpp
Answer create_jail(Service& service, const Request& request);
Answer replace_jail(Service& service, const Request& request);
Answer patch_jail(Service& service, const Request& request);
Answer delete_jail(Service& service, const Request& request);
Answer restart_jail(Service& service, const Request& request);
// exec.cpp
Answer exec_in_jail(Service& service, const Request& request);
// exec_stream.cpp
Answer stream_exec(Service& service, const Request& request);
// logs.cpp
Answer read_log(Service& service, const Request& request);
// stats.cpp
Answer get_stats(Service& service, const Request& request);
Answer get_jail_stats(Service& service, const Request& request);
// processes.cpp
Answer list_processes(Service& service, const Request& request);
Answer kill_processes(Service& service, const Request& request);
// transfers.cpp
Answer export_jail(Service& service, const Request& request);
Answer import_jail(Service& service, const Request& request);
Answer get_backup(Service& service, const Request& request);
// templates.cpp
Answer list_templates(Service& service, const Request& request);
Answer get_template(Service& service, const Request& request);
Answer import_template(Service& service, const Request& request);
Answer upload_template(Service& service, const Request& request);
Answer update_template(Service& service, const Request& request);
Answer delete_template(Service& service, const Request& request);
// snapshots.cpp
Answer list_snapshots(Service& service, const Request& request);
Answer list_snapshots_of_jail(Service& service, const Request& request);
Answer get_snapshot(Service& service, const Request& request);
Answer create_snapshot(Service& service, const Request& request);
Answer delete_snapshot(Service& service, const Request& request);
Answer restore_snapshot(Service& service, const Request& request);
Answer clone_snapshot(Service& service, const Request& request);
// upgrades.cpp
Answer upgrade_jail(Service& service, const Request& request);
Answer roll_back_jail(Service& service, const Request& request);
// pools.cpp
Answer list_pools(Service& service, const Request& request);
Answer get_pool(Service& service, const Request& request);
Answer create_pool(Service& service, const Request& request);
Answer patch_pool(Service& service, const Request& request);
Answer delete_pool(Service& service, const Request& request);
Answer take_from_pool(Service& service, const Request& request);
// networks.cpp
Answer list_networks(Service& service, const Request& request);
Answer get_network(Service& service, const Request& request);
Answer create_network(Service& service, const Request& request);
Answer replace_network(Service& service, const Request& request);
Answer patch_network(Service& service, const Request& request);
Answer delete_network(Service& service, const Request& request);
// operations.cpp
Answer get_operation(Service& service, const Request& request);
Answer cancel_operation(Service& service, const Request& request);
// events.cpp
Answer get_events(Service& service, const Request& request);
// host.cpp
Answer get_host(Service& service, const Request& request);
Answer list_residue(Service& service, const Request& request);
Answer remove_residue(Service& service, const Request& request);
Response get_health(Service& service, const Request& request);
Response get_readiness(Service& service, const Request& request);
Response get_openapi(Service& service, const Request& request);

}  // namespace jaild::api::v1
