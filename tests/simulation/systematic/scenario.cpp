#include "tests/simulation/systematic/scenario.h"

#include <stdexcept>

namespace jaild::simulation {
namespace {

void nothing(Scene&) {}

void create(Scene& scene, const model::NamedSpec& spec) {
    (void)expect(scene.create(spec));
}

model::NamedSpec path_jail() {
    auto named = full_jail();
    named.spec.template_name.clear();
    named.spec.root = {.kind = model::RootKind::path, .path = "/srv/web"};
    return named;
}

model::NamedSpec template_jail(model::RootKind kind) {
    auto named = full_jail();
    named.spec.template_name = "base:1";
    named.spec.root.kind = kind;
    return named;
}

model::NamedSpec jail_without_network() {
    auto named = full_jail();
    named.spec.network.mode = model::NetworkMode::none;
    named.spec.network.interfaces.clear();
    return named;
}

model::NamedSpec jail_in_the_hosts_network() {
    auto named = jail_without_network();
    named.spec.network.mode = model::NetworkMode::inherit;
    named.spec.limits.clear();
    named.spec.firewall = {};
    return named;
}

model::NamedSpec jail_with_datasets(const std::string& name, std::vector<std::string> datasets) {
    auto named = full_jail(name);
    named.spec.datasets = std::move(datasets);
    return named;
}

model::NamedSpec learning_jail() {
    auto named = full_jail();
    named.spec.network.interfaces = {{.dhcp = true, .slaac = true}, {}};
    named.spec.firewall = {};
    return named;
}

void one_full_jail(Scene& scene) {
    create(scene, full_jail());
}

void change(Scene& scene, const std::function<void(model::JailSpec&)>& edit) {
    auto spec = scene.jail(kFirst)->spec;
    edit(spec);
    expect(scene.update(kFirst, spec));
}

/// A jail with one snapshot, and a root that is another by now.
void changed_since_snapshot(Scene& scene) {
    one_full_jail(scene);
    (void)scene.settle();
    scene.kernel().hand().write_root(kFirst, 1);
    (void)expect(scene.take_snapshot(kFirst));
    scene.kernel().hand().write_root(kFirst, 2);
}

model::RestartSpec few_restarts() {
    return {.policy = model::RestartPolicy::on_failure,
            .max_retries = 2,
            .window = std::chrono::seconds{model::SpecLimits::timeout_seconds}};
}

void restarting_jail(Scene& scene) {
    auto named = full_jail();
    named.spec.restart = few_restarts();
    create(scene, named);
}

std::vector<Scenario> make_scenarios() {
    return {
        {"create thin", nothing, one_full_jail},
        {"create path", nothing, [](Scene& scene) { create(scene, path_jail()); }},
        {"create thin from a template", nothing,
         [](Scene& scene) { create(scene, template_jail(model::RootKind::thin)); }},
        {"create a copy of a template", nothing,
         [](Scene& scene) { create(scene, template_jail(model::RootKind::copy)); }},
        {"create without network", nothing, [](Scene& scene) { create(scene, jail_without_network()); }},
        {"create sharing the host's network", nothing,
         [](Scene& scene) { create(scene, jail_in_the_hosts_network()); }},
        {"create on addresses of the host", nothing, [](Scene& scene) { create(scene, jail_on_aliases()); }},
        {"change the addresses of the host", [](Scene& scene) { create(scene, jail_on_aliases()); },
         [](Scene& scene) {
             change(scene, [](model::JailSpec& spec) {
                 spec.network.interfaces = {on_interface("lo1", {"192.0.2.10/32", "2001:db8::12/64"})};
             });
         }},
        {"give the addresses of the host back", [](Scene& scene) { create(scene, jail_on_aliases()); },
         [](Scene& scene) { expect(scene.remove(kFirst)); }},
        {"create one that learns its address", nothing, [](Scene& scene) { create(scene, learning_jail()); }},
        {"create with datasets", nothing,
         [](Scene& scene) {
             create(scene, jail_with_datasets("web", {"tank/a", "tank/b"}));
         }},
        {"hand a dataset to another jail",
         [](Scene& scene) {
             create(scene, jail_with_datasets("web", {"tank/a", "tank/b"}));
         },
         [](Scene& scene) {
             change(scene, [](model::JailSpec& spec) { spec.datasets = {"tank/b"}; });
             create(scene, jail_with_datasets("db", {"tank/a/deep"}));
             expect(scene.restart(kFirst));
         }},
        {"remove one with datasets", [](Scene& scene) { create(scene, jail_with_datasets("web", {"tank/a"})); },
         [](Scene& scene) { expect(scene.remove(kFirst)); }},
        {"create a second", one_full_jail, [](Scene& scene) { create(scene, full_jail("db")); }},
        {"create one that another waits for",
         [](Scene& scene) {
             auto named = full_jail("web");
             named.spec.depends_on = {"db"};
             create(scene, named);
         },
         [](Scene& scene) { create(scene, full_jail("db")); }},
        {"restart", one_full_jail, [](Scene& scene) { expect(scene.restart(kFirst)); }},
        {"run a command again", restarting_jail,
         [](Scene& scene) { (void)scene.kernel().hand().end_command(kFirst, 5); }},
        {"restart an unhealthy jail",
         [](Scene& scene) {
             auto named = full_jail();
             named.spec.health = model::HealthSpec{.port = 80, .start_period = Milliseconds{0}, .restart = true};
             create(scene, named);
         },
         [](Scene& scene) { (void)scene.fall_ill(kFirst); }},
        {"give up a command", nothing,
         [](Scene& scene) {
             auto named = full_jail();
             named.spec.command = {"exit", "3"};
             named.spec.restart = few_restarts();
             create(scene, named);
         }},
        {"stop one whose command is to be run again",
         [](Scene& scene) {
             restarting_jail(scene);
             (void)scene.settle();
             for (int end = 0; end < 2; ++end) {
                 (void)scene.kernel().hand().end_command(kFirst, 5);
                 (void)scene.reconcile(kFirst);
             }
         },
         [](Scene& scene) { change(scene, [](model::JailSpec& spec) { spec.running = false; }); }},
        {"stop", one_full_jail,
         [](Scene& scene) { change(scene, [](model::JailSpec& spec) { spec.running = false; }); }},
        {"start again",
         [](Scene& scene) {
             one_full_jail(scene);
             (void)scene.settle();
             change(scene, [](model::JailSpec& spec) { spec.running = false; });
         },
         [](Scene& scene) { change(scene, [](model::JailSpec& spec) { spec.running = true; }); }},
        {"restore a snapshot", changed_since_snapshot,
         [](Scene& scene) { expect(scene.restore(kFirst, scene.snapshots().at(0).id)); }},
        {"restore a snapshot of a stopped jail",
         [](Scene& scene) {
             changed_since_snapshot(scene);
             change(scene, [](model::JailSpec& spec) { spec.running = false; });
         },
         [](Scene& scene) { expect(scene.restore(kFirst, scene.snapshots().at(0).id)); }},
        {"make a jail from a snapshot", changed_since_snapshot,
         [](Scene& scene) { (void)expect(scene.clone(full_jail("db"), scene.snapshots().at(0).id)); }},
        {"upgrade a thin root", [](Scene& scene) { create(scene, template_jail(model::RootKind::thin)); },
         [](Scene& scene) { expect(scene.upgrade(kFirst)); }},
        {"upgrade a copy that is stopped",
         [](Scene& scene) {
             create(scene, template_jail(model::RootKind::copy));
             (void)scene.settle();
             change(scene, [](model::JailSpec& spec) { spec.running = false; });
         },
         [](Scene& scene) { expect(scene.upgrade(kFirst)); }},
        {"remove one that is being made from a snapshot",
         [](Scene& scene) {
             changed_since_snapshot(scene);
             (void)expect(scene.clone(full_jail("db"), scene.snapshots().at(0).id));
         },
         [](Scene& scene) { expect(scene.remove(JailId{2})); }},
        {"import a jail", [](Scene&) {},
         [](Scene& scene) {
             const auto id = expect(scene.import(template_jail(model::RootKind::copy)));
             scene.end_import(id, Scene::Archive::whole);
         }},
        {"import a jail from an archive that is cut off", one_full_jail,
         [](Scene& scene) {
             auto named = full_jail("db");
             named.spec.template_name = "base:1";
             const auto id = expect(scene.import(named));
             (void)scene.resync();
             scene.end_import(id, Scene::Archive::cut_off);
         }},
        {"remove", one_full_jail, [](Scene& scene) { expect(scene.remove(kFirst)); }},
        {"remove a copy of a template", [](Scene& scene) { create(scene, template_jail(model::RootKind::copy)); },
         [](Scene& scene) { expect(scene.remove(kFirst)); }},
        {"remove path", [](Scene& scene) { create(scene, path_jail()); },
         [](Scene& scene) { expect(scene.remove(kFirst)); }},
        {"change a live field", one_full_jail,
         [](Scene& scene) { change(scene, [](model::JailSpec& spec) { spec.hostname = "elsewhere"; }); }},
        {"change limits and parameters", one_full_jail,
         [](Scene& scene) {
             change(scene, [](model::JailSpec& spec) {
                 spec.limits = {{"memoryuse", {.amount = 2 << 20, .action = "log"}},
                                {"maxproc", {.amount = 9, .action = "deny"}}};
                 spec.parameters["allow.mount"] = true;
             });
         }},
        {"change policy and labels", one_full_jail,
         [](Scene& scene) {
             change(scene, [](model::JailSpec& spec) {
                 spec.labels = {{"tier", "back"}};
                 spec.publish = {{.host_port = {80, 80}, .jail_port = {80, 80}}};
                 spec.firewall.egress = model::Policy{};
             });
         }},
        {"change a restart field", one_full_jail,
         [](Scene& scene) { change(scene, [](model::JailSpec& spec) {
                                spec.command = {"sleep", "7"};
                            }); }},
        {"change and restart", one_full_jail,
         [](Scene& scene) {
             change(scene, [](model::JailSpec& spec) { spec.network = jail_without_network().spec.network; });
             expect(scene.restart(kFirst));
         }},
        {"take a network stack of its own after a restart",
         [](Scene& scene) { create(scene, jail_in_the_hosts_network()); },
         [](Scene& scene) {
             change(scene, [](model::JailSpec& spec) { spec.network = full_jail().spec.network; });
             expect(scene.restart(kFirst));
         }},
    };
}

}  // namespace

const std::vector<Scenario>& scenarios() {
    static const std::vector<Scenario> all = make_scenarios();
    return all;
}

const Scenario& scenario(const std::string& name) {
    for (const auto& one : scenarios()) {
        if (one.name == name) return one;
    }
    throw std::invalid_argument(name);
}

model::NamedSpec full_jail(const std::string& name) {
    model::NamedSpec named{expect(model::Name::parse(name)), {}};
    named.spec.exec.start = {"echo", "up"};
    named.spec.exec.stop = {"echo", "down"};
    for (const auto hook : model::kHooks) named.spec.exec.hooks[hook] = {"echo", std::string(to_string(hook))};
    named.spec.command = {"sleep", "1000"};
    // One that selects itself too, so that its groups have members.
    named.spec.labels = {{"tier", "front"}};
    named.spec.firewall.ingress =
        model::Policy{.rules = {{.peer = model::PeerLabel{"tier", "front"}}, {.peer = model::PeerJail{"db"}}}};
    named.spec.limits = {{"memoryuse", {.amount = 1 << 20, .action = "deny"}}};
    named.spec.parameters = {{"allow.raw_sockets", true}};
    return named;
}

model::InterfaceSpec on_interface(const std::string& interface, const std::vector<std::string>& addresses) {
    model::InterfaceSpec one{.network = {}, .interface = interface, .addresses = {}, .mac = {}, .name = {}};
    for (const auto& text : addresses) one.addresses.push_back(expect(Prefix::parse(text)));
    return one;
}

model::NamedSpec jail_on_aliases(const std::string& name) {
    auto named = full_jail(name);
    named.spec.limits.clear();
    named.spec.firewall = {};
    named.spec.network = {.mode = model::NetworkMode::alias,
                          .interfaces = {on_interface("em0", {"192.0.2.10/32", "2001:db8::10/128"}),
                                         on_interface("lo1", {"192.0.2.11/32"})},
                          .nameservers = {},
                          .search = {}};
    return named;
}

std::unique_ptr<Scene> prepared(const Scenario& scenario) {
    auto scene = std::make_unique<Scene>();
    scenario.before(*scene);
    if (!scene->settle()) throw std::runtime_error("the scenario's beginning never settles: " + scenario.name);
    scene->kernel().faults().clear();
    return scene;
}

}  // namespace jaild::simulation
