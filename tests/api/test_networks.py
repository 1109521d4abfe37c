"""Networks: made, changed and removed; addresses of them."""

import ipaddress
import json
import threading
import unittest

from cli import jaildctl
from harness import ApiTest, Settings, eventually

NETWORKS = "/v1/networks"


def on(network, *addresses):
    return {"network": {"interfaces": [{"network": network, "addresses": list(addresses)}]}, "running": False}


class Networks(ApiTest):
    def setUp(self):
        super().setUp()
        self.name = f"n{abs(hash(self.name)) % 10**8}"

    def tearDown(self):
        for jail in self.daemon.request("GET", "/v1/jails?limit=1000").json()["items"]:
            self.assertEqual(self.daemon.delete(jail["name"]).status, 204)
        for network in self.daemon.request("GET", NETWORKS).json()["items"]:
            if network["name"] != "default":
                self.assertEqual(self.daemon.request("DELETE", f"{NETWORKS}/{network['name']}").status, 204)
        super().tearDown()

    def make(self, name=None, **fields):
        answer = self.daemon.request("POST", NETWORKS, {"name": name or self.name, **fields})
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json()

    def post(self, fields, status, code, field=None):
        return self.refused(self.daemon.request("POST", NETWORKS, {"name": self.name, **fields}), status, code, field)

    def patch(self, fields, headers=None, query=""):
        return self.daemon.request("PATCH", f"{NETWORKS}/{self.name}{query}", fields, headers)

    def events(self, kind):
        items = self.daemon.request("GET", "/v1/events?follow=false&limit=1000").json()["items"]
        return [event["data"] for event in items if event["type"] == kind and event["data"].get("network") == self.name]

    def test_one_is_made_with_subnets_that_are_free(self):
        answer = self.daemon.request("POST", NETWORKS, {"name": self.name})
        self.assertEqual((answer.status, answer.headers["Location"]), (201, f"{NETWORKS}/{self.name}"))
        made = answer.json()
        default = self.daemon.request("GET", f"{NETWORKS}/default").json()
        for family in ("ipv4", "ipv6"):
            subnet = ipaddress.ip_network(made["spec"][family])
            self.assertFalse(subnet.overlaps(ipaddress.ip_network(default["spec"][family])))
            self.assertIn(str(subnet[1]), made["status"]["gateways"])
        self.assertTrue(made["spec"]["nat"])
        shown = self.daemon.request("GET", f"{NETWORKS}/{self.name}")
        self.assertEqual((shown.json(), shown.headers["ETag"]), (made, answer.headers["ETag"]))
        known = self.daemon.request("GET", f"{NETWORKS}/{self.name}", headers={"If-None-Match": shown.headers["ETag"]})
        self.assertEqual(known.status, 304)
        self.assertEqual(len(self.events("network.created")), 1)
        self.refused(self.daemon.request("POST", NETWORKS, {"name": self.name.upper()}), 409, "network_exists", "/name")

    def test_fields_come_back_as_they_were_sent(self):
        fields = {"ipv4": "192.168.77.0/26", "ipv6": "2001:db8:77::/64", "gateway4": "192.168.77.62", "nat": False,
                  "mtu": 1400, "nameservers": ["192.168.77.5", "2001:db8::53"], "search": ["example.org"],
                  "reserved": ["192.168.77.10", "192.168.77.20-192.168.77.29"], "labels": {"a": "b"}}
        spec = self.make(**fields)["spec"]
        self.assertEqual({key: spec[key] for key in fields}, fields)

    def test_what_is_refused(self):
        default = self.daemon.request("GET", f"{NETWORKS}/default").json()["spec"]
        self.post({"ipv4": "10.0.0.1/24"}, 422, "invalid_prefix", "/ipv4")
        self.post({"ipv4": None, "ipv6": None}, 422, "missing_field", "/ipv4")
        self.post({"ipv4": default["ipv4"]}, 409, "subnet_in_use", "/ipv4")
        self.post({"ipv6": default["ipv6"]}, 409, "subnet_in_use", "/ipv6")
        self.post({"ipv6": default["ipv6"].split(":")[0] + "::/16"}, 409, "subnet_in_use", "/ipv6")
        self.post({"ipv4": "172.30.0.0/24", "gateway4": "172.31.0.1"}, 422, "address_outside", "/gateway4")
        self.post({"ipv4": "172.30.0.0/24", "reserved": ["172.30.0.1"]}, 422, "address_is_gateway", "/reserved/0")
        self.post({"mtu": 100}, 422, "invalid_value", "/mtu")
        self.post({"vlan": 5}, 422, "field_not_applicable", "/vlan")
        self.post({"nat": {"interface": "nosuch0"}}, 422, "interface_not_found", "/nat/interface")
        self.post({"bridge": "nosuch0"}, 422, "interface_not_found", "/bridge")
        self.post({"subnet": "10.0.0.0/8"}, 422, "unknown_field", "/subnet")
        self.post({"uplink": "nosuch0"}, 422, "interface_not_found", "/uplink")
        self.refused(self.daemon.request("POST", NETWORKS, {"name": "7"}), 422, "invalid_name", "/name")
        self.assertEqual(self.daemon.request("GET", f"{NETWORKS}/{self.name}").status, 404)

    @unittest.skipIf(Settings.kernel == "linux", "whether the host has a packet filter is its own affair")
    def test_isolation_is_a_field_like_any_other(self):
        self.assertFalse(self.make()["spec"]["isolated"])
        answer = self.patch({"isolated": True})
        self.assertEqual((answer.status, answer.json()["spec"]["isolated"]), (200, True))
        self.assertTrue(self.make(self.name + "b", isolated=True)["spec"]["isolated"])
        self.refused(self.patch({"bridge": "bridge0", "nat": False}), 422, "field_not_applicable", "/isolated")

    @unittest.skipIf(Settings.kernel == "linux", "names what the other kernel has")
    def test_a_bridge_of_the_host_brings_its_subnets(self):
        self.post({"bridge": "em1"}, 422, "interface_unsuitable", "/bridge")
        self.post({"bridge": "bridge0", "mtu": 9000}, 422, "mtu_too_large", "/mtu")
        self.post({"bridge": "bridge0", "ipv4": "192.0.2.0/24"}, 422, "gateway_unknown", "/gateway4")
        elsewhere = {"bridge": "bridge0", "ipv4": "192.0.2.0/24", "gateway4": "192.0.2.254"}
        self.post(elsewhere, 409, "subnet_in_use", "/ipv4")
        other_gateway = {"bridge": "bridge0", "gateway6": "2001:db8:1::fe", "ipv6": "2001:db8:1::/64"}
        self.post(other_gateway, 409, "address_in_use", "/reserved")
        spec = self.make(bridge="bridge0")["spec"]
        self.assertEqual((spec["ipv4"], spec["ipv6"], spec["nat"]), ("198.51.100.0/24", "2001:db8:1::/64", False))
        jail = self.daemon.make("a", **on(self.name))
        self.assertEqual(jail["status"]["addresses"], ["198.51.100.2/24", "2001:db8:1::2/64"])
        self.refused(self.patch({"bridge": None}), 409, "network_in_use", "/bridge")

    @unittest.skipIf(Settings.kernel == "linux", "names what the other kernel has")
    def test_an_uplink_is_one_networks_and_not_the_hosts_own(self):
        self.post({"uplink": "em0"}, 409, "interface_in_use", "/uplink")
        self.post({"uplink": "bridge0"}, 422, "interface_unsuitable", "/uplink")
        self.post({"uplink": "em1", "mtu": 9000}, 422, "mtu_mismatch", "/mtu")
        self.make(self.name + "v7", uplink="em0", vlan=7)
        seven = {"name": self.name + "b", "uplink": "em0", "vlan": 7}
        self.refused(self.daemon.request("POST", NETWORKS, seven), 409, "interface_in_use", "/uplink")
        self.make(self.name + "v8", uplink="em0", vlan=8)
        self.make(uplink="em1")
        other = {"name": self.name + "b", "uplink": "em1"}
        self.refused(self.daemon.request("POST", NETWORKS, other), 409, "interface_in_use", "/uplink")
        self.refused(self.patch({"mtu": 1400}), 422, "mtu_mismatch", "/mtu")
        # It is free again with the network that had it.
        self.assertEqual(self.patch({"uplink": None, "mtu": 1400}).status, 200)
        self.assertEqual(self.daemon.request("POST", NETWORKS, other).status, 201)

    def test_jails_get_addresses_that_are_not_reserved(self):
        self.make(ipv4="172.30.1.0/29", ipv6=None, reserved=["172.30.1.2-172.30.1.3", "172.30.1.5"], gateway4="172.30.1.1")
        jail = self.daemon.make("a", **on(self.name))
        self.assertEqual(jail["status"]["addresses"], ["172.30.1.4/29"])
        self.assertEqual(self.daemon.make("b", **on(self.name))["status"]["addresses"], ["172.30.1.6/29"])
        body = {"name": "c", **on(self.name)}
        self.refused(self.daemon.request("POST", "/v1/jails", body), 507, "addresses_exhausted")
        # What is kept for somebody is his when he asks for it by name.
        jail = self.daemon.make("c", **on(self.name, "172.30.1.5/29"))
        self.assertEqual(jail["status"]["addresses"], ["172.30.1.5/29"])
        body = {"name": "d", **on(self.name, "172.30.1.1/29")}
        self.refused(self.daemon.request("POST", "/v1/jails", body), 422, "address_is_gateway")
        shown = self.daemon.request("GET", f"{NETWORKS}/{self.name}").json()
        self.assertEqual(shown["status"]["jails"], ["a", "b", "c"])
        # What is no longer reserved is given.
        self.assertEqual(self.patch({"reserved": []}).status, 200)
        self.assertEqual(self.daemon.make("d", **on(self.name))["status"]["addresses"], ["172.30.1.2/29"])

    def test_one_in_use_is_not_removed(self):
        self.make()
        self.daemon.make("user", **on(self.name))
        problem = self.refused(self.daemon.request("DELETE", f"{NETWORKS}/{self.name}"), 409, "network_in_use")
        self.assertIn("user", problem["detail"])
        self.assertEqual(self.daemon.delete("user").status, 204)
        self.assertEqual(self.daemon.request("DELETE", f"{NETWORKS}/{self.name}?dry_run=true").status, 200)
        self.assertEqual(self.daemon.request("DELETE", f"{NETWORKS}/{self.name}").status, 204)
        self.refused(self.daemon.request("DELETE", f"{NETWORKS}/{self.name}"), 404, "network_not_found")
        self.assertEqual(len(self.events("network.removed")), 1)
        self.refused(self.daemon.request("DELETE", f"{NETWORKS}/default"), 409, "network_is_default")

    def test_one_that_a_jail_has_yet_to_leave_is_not_removed(self):
        self.make()
        self.daemon.make("user", **{**on(self.name), "running": True})
        moved = self.daemon.request("PATCH", "/v1/jails/user", {"network": None}, headers={"Prefer": "wait=60"})
        self.assertEqual(moved.status, 200, moved.body)
        path = f"{NETWORKS}/{self.name}"
        for problem in (
            self.refused(self.daemon.request("DELETE", path), 409, "network_in_use"),
            self.refused(self.daemon.request("DELETE", f"{path}?dry_run=true"), 409, "network_in_use"),
            self.refused(self.patch({"ipv4": "172.30.2.0/24"}), 409, "network_in_use"),
        ):
            self.assertIn("user", problem["detail"])
        restarted = self.daemon.request("POST", "/v1/jails/user/restart", headers={"Prefer": "wait=60"})
        self.assertEqual(restarted.status, 200, restarted.body)
        self.assertEqual(self.daemon.request("DELETE", path).status, 204)

    def test_a_change_is_made_under_its_condition(self):
        self.make()
        tag = self.daemon.request("GET", f"{NETWORKS}/{self.name}").headers["ETag"]
        answer = self.patch({"mtu": 1400}, {"If-Match": tag})
        self.assertEqual((answer.status, answer.json()["spec"]["mtu"], answer.json()["generation"]), (200, 1400, 2))
        self.refused(self.patch({"mtu": 1300}, {"If-Match": tag}), 412, "etag_mismatch")
        same = self.patch({"mtu": 1400})
        self.assertEqual(same.headers["ETag"], answer.headers["ETag"])
        self.assertEqual(len(self.events("network.changed")), 1)
        dry = self.patch({"mtu": 1280}, query="?dry_run=true").json()
        self.assertEqual((dry["network"]["spec"]["mtu"], dry["plan"]), (1280, []))
        self.assertEqual(self.daemon.request("GET", f"{NETWORKS}/{self.name}").json()["spec"]["mtu"], 1400)

        target = f"{NETWORKS}/{self.name}"
        self.refused(self.daemon.request("PUT", target, {"mtu": 1500}), 428, "precondition_required")
        before = self.daemon.request("GET", target)
        after = self.daemon.request("PUT", target, {"nat": False}, {"If-Match": before.headers["ETag"]}).json()
        self.assertEqual((after["spec"]["nat"], after["spec"]["mtu"]), (False, 1500))
        self.assertEqual(after["spec"]["ipv4"], before.json()["spec"]["ipv4"])
        self.refused(self.daemon.request("PUT", target, {}, {"If-None-Match": "*"}), 412, "etag_mismatch")
        made = self.daemon.request("PUT", f"{NETWORKS}/{self.name}b", {"name": f"{self.name}b"}, {"If-None-Match": "*"})
        self.assertEqual(made.status, 201)
        self.refused(self.patch({"name": "other"}), 422, "immutable_field", "/name")
        self.refused(self.patch({"ipv4": None, "ipv6": None}), 422, "missing_field", "/ipv4")

    def test_a_subnet_goes_only_when_no_jail_loses_its_address(self):
        self.make(ipv4="172.30.2.0/24", ipv6="fd00:30:2::/64")
        self.daemon.make("stays", **on(self.name, "172.30.2.200/24"))
        problem = self.refused(self.patch({"ipv4": "172.30.2.0/25"}), 409, "addresses_in_use", "/ipv4")
        self.assertIn("stays", problem["detail"])
        self.refused(self.patch({"ipv4": "172.30.3.0/24"}), 409, "addresses_in_use", "/ipv4")
        self.refused(self.patch({"gateway4": "172.30.2.200"}), 409, "addresses_in_use", "/ipv4")
        self.refused(self.patch({"ipv6": None}), 409, "addresses_in_use", "/ipv6")
        self.assertEqual(self.daemon.delete("stays").status, 204)
        moved = self.patch({"ipv4": "172.30.3.0/24", "ipv6": None}).json()["spec"]
        self.assertEqual((moved["ipv4"], moved["ipv6"]), ("172.30.3.0/24", None))
        jail = self.daemon.make("fresh", **on(self.name))
        self.assertEqual(jail["status"]["addresses"], ["172.30.3.2/24"])
        # A family that is new comes to the jails that are there.
        self.assertEqual(self.patch({"ipv6": "fd00:30:3::/64"}).status, 200)
        eventually(lambda: self.daemon.request("GET", "/v1/jails/fresh").json()["status"]["addresses"] ==
                   ["172.30.3.2/24", "fd00:30:3::2/64"], "it has an address of both")

    def test_a_retry_makes_one_network(self):
        headers = {"Idempotency-Key": f"key-{self.name}"}
        first = self.daemon.request("POST", NETWORKS, {"name": self.name}, headers)
        again = self.daemon.request("POST", NETWORKS, {"name": self.name}, headers)
        self.assertEqual((first.status, again.status, again.headers["Idempotency-Replayed"]), (201, 201, "true"))
        self.assertEqual(first.json(), again.json())
        other = self.daemon.request("POST", NETWORKS, {"name": self.name, "mtu": 1400}, headers)
        self.refused(other, 409, "idempotency_key_reused")
        self.assertEqual(self.daemon.request("DELETE", f"{NETWORKS}/{self.name}").status, 204)
        spent = self.daemon.request("POST", NETWORKS, {"name": self.name}, headers)
        self.refused(spent, 409, "idempotency_key_spent")

    def test_a_running_jail_follows_its_network(self):
        self.make()
        spec = {**on(self.name), "running": True}
        before = self.daemon.make("runs", **spec)
        self.assertEqual(self.patch({"mtu": 1400, "nat": False}).status, 200)
        after = self.daemon.request("GET", "/v1/jails/runs").json()
        for field in ("jid", "pid", "state"):
            self.assertEqual(after["status"][field], before["status"][field], field)

    @unittest.skipIf(Settings.kernel == "linux", "nobody gives out addresses there")
    def test_an_interface_that_learns_its_addresses_shows_them(self):
        interface = {"network": "default", "ipv4": "dhcp", "ipv6": "slaac"}
        jail = self.daemon.make("learns", network={"interfaces": [interface]})
        self.assertEqual(jail["spec"]["network"]["interfaces"], [{**interface, "addresses": []}])

        def both():
            jail = self.daemon.request("GET", "/v1/jails/learns").json()
            return len(jail["status"]["interfaces"][0]["addresses"]) == 2
        eventually(both, "the addresses are shown")
        shown = self.daemon.request("GET", "/v1/jails/learns").json()
        self.assertNotIn("AddressMissing", [one["type"] for one in shown["status"]["conditions"]])
        self.assertEqual(self.daemon.request("GET", "/v1/jails/learns/plan").json()["plan"], [])
        change = {"publish": [{"host_port": 8099, "jail_port": 80}]}
        self.refused(self.daemon.request("PATCH", "/v1/jails/learns", change), 422, "learned_address", "/publish")
        static = {"network": {"interfaces": [{**interface, "addresses": ["10.213.0.9/24"]}]}}
        self.refused(self.daemon.request("PATCH", "/v1/jails/learns", static), 422, "learned_address",
                     "/network/interfaces/0/addresses/0")
        # What it gave up is another's, and it gets one of the network's again when it asks for none.
        plain = {"network": {"interfaces": [{"network": "default", "ipv4": None, "ipv6": None}]}}
        self.refused(self.daemon.request("PATCH", "/v1/jails/learns", plain), 422, "wrong_type",
                     "/network/interfaces/0/ipv4")
        plain = {"network": {"interfaces": [{"network": "default"}]}}
        self.assertIn(self.daemon.request("PATCH", "/v1/jails/learns?restart=true", plain).status, (200, 202))
        eventually(lambda: "198.18." not in str(self.daemon.request("GET", "/v1/jails/learns").json()["status"]["addresses"])
                   and both(), "the addresses of the network")

    @unittest.skipIf(Settings.kernel == "linux", "whether the host enforces policies is its own affair")
    def test_no_rule_denies_a_jail_whose_addresses_nobody_knows(self):
        learning = {"network": {"interfaces": [{"network": "default", "ipv6": "slaac"}]}}
        made = {"name": "learner", "running": False, "labels": {"tier": "guest"}, **learning}
        self.assertEqual(self.daemon.request("POST", "/v1/jails", made).status, 202)

        def rules(direction, action, peer):
            word = "from" if direction == "ingress" else "to"
            return {"firewall": {direction: {"default": "allow", "rules": [{word: peer, "action": action}]}}}
        for direction, peer, field in (("ingress", {"jail": "Learner"}, "from"), ("egress", {"label": "tier"}, "to"),
                                       ("ingress", {"label": "tier=guest"}, "from")):
            answer = self.daemon.request("POST", "/v1/jails", {"name": "x", **rules(direction, "deny", peer)})
            self.refused(answer, 422, "learned_address", f"/firewall/{direction}/rules/0/{field}")
        for number, (action, peer) in enumerate((("allow", {"jail": "learner"}), ("deny", {"label": "tier=other"}),
                                                 ("deny", {"jail": "plain"}))):
            body = {"name": f"r{number}", "running": False, **rules("ingress", action, peer)}
            self.assertEqual(self.daemon.request("POST", "/v1/jails", body).status, 202)
        # Nor does one become such a jail.
        answer = self.daemon.request("POST", "/v1/jails", {"name": "plain", "running": False, **learning})
        self.refused(answer, 422, "learned_address", "/network/interfaces/0/ipv6")
        answer = self.daemon.request("PATCH", "/v1/jails/learner", {"labels": {"tier": "other"}})
        self.refused(answer, 422, "learned_address", "/network/interfaces/0/ipv6")
        self.assertEqual(self.daemon.request("PATCH", "/v1/jails/learner", {"labels": {"tier": "third"}}).status, 202)

    def test_parallel_creates_never_share_an_address(self):
        self.make(ipv4="172.30.4.0/24", ipv6="fd00:30:4::/64")
        count = 64
        answers = [None] * count
        gate = threading.Barrier(count)

        def create(index):
            gate.wait()
            body = {"name": f"p{index}x", **on(self.name)}
            answers[index] = self.daemon.request("POST", "/v1/jails", body, timeout=120)

        threads = [threading.Thread(target=create, args=(index,)) for index in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({answer.status for answer in answers}, {202})
        jails = self.daemon.request("GET", "/v1/jails?limit=1000").json()["items"]
        given = [address for jail in jails for address in jail["status"]["addresses"]]
        self.assertEqual((len(given), len(set(given))), (2 * count, 2 * count))

    def test_parallel_networks_never_overlap(self):
        count = 16
        answers = [None] * count
        gate = threading.Barrier(count)

        def create(index):
            gate.wait()
            answers[index] = self.daemon.request("POST", NETWORKS, {"name": f"{self.name}-{index}"}, timeout=120)

        threads = [threading.Thread(target=create, args=(index,)) for index in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([answer.status for answer in answers], [201] * count)
        self.assertEqual(len({answer.json()["spec"]["ipv4"] for answer in answers}), count)


# On TCP a daemon of another network namespace cannot be reached from here.
@unittest.skipIf(Settings.kernel == "linux", "nothing of it knows a kernel")
class NetworksByRole(ApiTest):
    tcp = True

    def test_roles(self):
        def ask(role, method, target, body=None):
            headers = {"Authorization": f"Bearer {role}-token-0123456789"}
            return self.daemon.request(method, target, body, headers, tcp=True)

        self.refused(ask("viewer", "POST", NETWORKS, {"name": "lab"}), 403, "role_too_low")
        self.assertEqual(ask("operator", "POST", NETWORKS, {"name": "lab"}).status, 201)
        for fields in ({"bridge": "br0"}, {"uplink": "em0"}, {"uplink": "em0", "vlan": 7}):
            self.refused(ask("operator", "POST", NETWORKS, {"name": "lab2", **fields}), 403, "role_too_low")
            self.refused(ask("operator", "PATCH", f"{NETWORKS}/lab", fields), 403, "role_too_low")
            self.assertIn(ask("admin", "POST", NETWORKS, {"name": "lab2", **fields}).status, (201, 409, 422))
        self.assertEqual(ask("operator", "DELETE", f"{NETWORKS}/lab2").status, 204)
        self.refused(ask("viewer", "DELETE", f"{NETWORKS}/lab"), 403, "role_too_low")
        self.assertEqual(ask("viewer", "GET", f"{NETWORKS}/lab").status, 200)
        self.assertEqual(ask("operator", "DELETE", f"{NETWORKS}/lab").status, 204)


class NetworkCommands(ApiTest):
    def run_it(self, *words):
        ran = jaildctl(self.daemon, *words)
        self.assertEqual((ran.code, ran.err), (0, ""), ran)
        return ran.out

    def test_a_network_from_beginning_to_end(self):
        self.assertEqual(self.run_it("network", "create", "lab", "--ipv4", "172.30.9.0/24", "--ipv6", "none", "--mtu",
                                     "1400", "--reserve", "172.30.9.2-172.30.9.9", "--reserve", "172.30.9.20",
                                     "--nameserver", "9.9.9.9", "--search", "example.org", "--label", "a=b",
                                     "--no-nat"), "made network lab\n")
        spec = json.loads(self.run_it("-o", "json", "network", "show", "lab"))["spec"]
        self.assertEqual((spec["ipv4"], spec["ipv6"], spec["mtu"], spec["nat"], spec["nameservers"], spec["search"]),
                         ("172.30.9.0/24", None, 1400, False, ["9.9.9.9"], ["example.org"]))
        self.assertEqual((spec["reserved"], spec["labels"]), (["172.30.9.2-172.30.9.9", "172.30.9.20"], {"a": "b"}))
        self.assertEqual(self.run_it("network", "set", "lab", "--dry-run", "--mtu", "1280"),
                         "nothing to do in the kernel\n")
        self.assertEqual(self.run_it("network", "set", "lab", "--gateway", "172.30.9.254", "--reserve", "none"),
                         "changed network lab\n")
        changed = json.loads(self.run_it("network", "show", "lab"))
        self.assertEqual((changed["status"]["gateways"], changed["spec"]["reserved"]), (["172.30.9.254"], []))
        changed = json.loads(self.run_it("-o", "json", "network", "set", "lab", "--gateway", "none", "--nat-address",
                                         "192.0.2.7"))
        self.assertEqual((changed["spec"]["gateway4"], changed["spec"]["nat"]), (None, {"address4": "192.0.2.7"}))
        table = [line.split() for line in self.run_it("network", "ls").splitlines()]
        self.assertEqual(table[0], ["NAME", "IPV4", "IPV6", "NAT", "MTU", "JAILS"])
        self.assertEqual([line[0] for line in table[1:]], ["default", "lab"])
        self.assertEqual(table[2], ["lab", "172.30.9.0/24", "-", "192.0.2.7", "1400", "0"])
        self.assertEqual(self.run_it("network", "rm", "lab"), "removed network lab\n")

    def test_what_is_refused_is_said(self):
        ran = jaildctl(self.daemon, "network", "rm", "default")
        self.assertEqual((ran.code, ran.out), (1, ""))
        self.assertIn("network_is_default", ran.err)
        ran = jaildctl(self.daemon, "network", "create", "lab", "--ipv4", "10.0.0.1/24")
        self.assertEqual(ran.code, 1)
        self.assertIn("/ipv4", ran.err)
        for words in (["network"], ["network", "create"], ["network", "create", "lab", "--vlan", "many"],
                      ["network", "create", "lab", "--label", "nothing"], ["network", "create", "lab", "--nat", "--no-nat"]):
            ran = jaildctl(self.daemon, *words)
            self.assertEqual((ran.code, ran.out), (2, ""), (words, ran))
