"""Limits, jail(8) parameters and devfs rulesets: what the memory kernel, which is FreeBSD's model, makes of them, and
how Linux refuses them."""

import pathlib
import shutil
import tempfile

from harness import ApiTest, eventually

LIMITS = {"memoryuse": "512M", "maxproc": {"amount": 100, "action": "deny", "per": "jail"}}
PARAMETERS = {"allow.raw_sockets": 1, "allow.nomount": True, "securelevel": -1, "sysvmsg": "new", "children.max": 3}


class Written(ApiTest):
    """What is refused before any kernel is asked, and so on every system alike."""

    def post(self, body, code, field):
        for target in ("/v1/jails", "/v1/jails?dry_run=true"):
            self.refused(self.daemon.request("POST", target, {"name": "x", **body}), 422, code, field)

    def test_limits(self):
        for limits, code, field in (
                ({"memory": "1G"}, "unknown_field", "/memory"), ({"memoryuse": "lots"}, "invalid_size", "/memoryuse"),
                ({"memoryuse": -1}, "invalid_value", "/memoryuse"), ({"maxproc": "100"}, "wrong_type", "/maxproc"),
                ({"maxproc": 0}, "invalid_value", "/maxproc"), ({"maxproc": {}}, "missing_field", "/maxproc/amount"),
                ({"cputime": 60}, "missing_field", "/cputime/action"),
                ({"cputime": {"amount": 60, "action": "deny"}}, "unsupported_action", "/cputime/action"),
                ({"readbps": {"amount": "1M", "action": "deny"}}, "unsupported_action", "/readbps/action"),
                ({"memoryuse": {"amount": "1M", "action": "throttle"}}, "unsupported_action", "/memoryuse/action"),
                ({"maxproc": {"amount": 1, "action": "explode"}}, "invalid_value", "/maxproc/action"),
                ({"maxproc": {"amount": 1, "per": "host"}}, "invalid_value", "/maxproc/per")):
            self.post({"limits": limits}, code, "/limits" + field)
        self.post({"limits": []}, "wrong_type", "/limits")

    def test_parameters_that_jaild_owns(self):
        for name in ("name", "jid", "path", "host.hostname", "vnet", "persist", "ip4.addr", "ip6.addr", "meta", "nopersist",
                     "devfs_ruleset", "exec.start", "mount.fstab"):
            answer = self.daemon.request("POST", "/v1/jails", {"name": "x", "parameters": {name: True}})
            self.refused(answer, 422, "reserved_parameter", "/parameters/" + name)
            self.assertTrue(answer.json()["detail"])

    def test_what_is_no_parameter(self):
        for name in ("", "a b", "a..b", "a/b", "x" * 129):
            answer = self.daemon.request("POST", "/v1/jails", {"name": "x", "parameters": {name: True}})
            self.assertEqual(answer.status, 422, name)
        for value in (None, {}, 1.5):
            self.post({"parameters": {"securelevel": value}}, "wrong_type", "/parameters/securelevel")

    def test_devfs_rulesets(self):
        self.post({"devfs_ruleset": 0}, "invalid_value", "/devfs_ruleset")
        self.post({"devfs_ruleset": ["bpf"]}, "wrong_type", "/devfs_ruleset")

    def test_the_host_says_what_it_can_do(self):
        host = self.daemon.request("GET", "/v1/host").json()
        self.assertEqual((host["limits"], host["parameters"]), (True, not self.on_linux()))


class OnLinux(ApiTest):
    def setUp(self):
        super().setUp()
        if not self.on_linux():
            self.skipTest("for a kernel without rctl(8) and jail(8)")

    def test_refused_when_written(self):
        no_disk = pathlib.Path(tempfile.mkdtemp(prefix="jaild-api-", dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, no_disk)
        for name in ("dev", "proc", "sys", "tmp", "etc", "usr"):
            (no_disk / name).mkdir()
        for body, code, field in (({"limits": {"nthr": 9}}, "limits_unsupported", "/limits/nthr"),
                                  ({"limits": {"openfiles": 99}}, "limits_unsupported", "/limits/openfiles/per"),
                                  ({"limits": {"openfiles": {"amount": 9, "per": "process"}}}, "invalid_value",
                                   "/limits/openfiles/amount"),
                                  ({"limits": {"maxproc": {"amount": 9, "per": "user"}}}, "limits_unsupported",
                                   "/limits/maxproc/per"),
                                  ({"limits": {"pcpu": {"amount": 9, "action": "log"}}}, "limits_unsupported",
                                   "/limits/pcpu/action"),
                                  ({"limits": {"memoryuse": "1M"}}, "invalid_value", "/limits/memoryuse/amount"),
                                  ({"limits": {"readbps": {"amount": "1M", "action": "log"}}}, "limits_unsupported",
                                   "/limits/readbps/action"),
                                  ({"limits": {"writeiops": 2 ** 32}}, "invalid_value", "/limits/writeiops/amount"),
                                  ({"limits": {"readbps": "1M"}, "root": {"kind": "path", "path": str(no_disk)}},
                                   "limits_unsupported", "/limits"),
                                  ({"parameters": {"allow.raw_sockets": 1}}, "unsupported_parameter",
                                   "/parameters/allow.raw_sockets"),
                                  ({"devfs_ruleset": 4}, "unsupported_parameter", "/devfs_ruleset")):
            self.refused(self.daemon.request("POST", "/v1/jails", {"name": "x", **body}), 422, code, field)
            self.refused(self.daemon.request("PUT", "/v1/jails/x", body), 422, code, field)
            self.refused(self.daemon.request("GET", "/v1/jails/x"), 404, "jail_not_found")

    def test_refused_in_a_change_too(self):
        self.daemon.make(self.name, running=False)
        for body, code in (({"limits": {"nthr": 9}}, "limits_unsupported"), ({"parameters": PARAMETERS}, "unsupported_parameter"),
                           ({"devfs_ruleset": 4}, "unsupported_parameter")):
            self.refused(self.daemon.request("PATCH", f"/v1/jails/{self.name}", body), 422, code)
        spec = self.daemon.request("GET", f"/v1/jails/{self.name}").json()["spec"]
        self.assertEqual((spec["limits"], spec["parameters"], "devfs_ruleset" in spec), ({}, {}, False))


class OnFreeBsdsModel(ApiTest):
    def setUp(self):
        super().setUp()
        if self.on_linux():
            self.skipTest("FreeBSD's")

    def spec(self):
        return self.daemon.request("GET", f"/v1/jails/{self.name}").json()["spec"]

    def patch(self, body):
        return self.daemon.request("PATCH", f"/v1/jails/{self.name}", body, {"Prefer": "wait=60"})

    def test_a_jail_with_all_of_them(self):
        self.daemon.make(self.name, limits=LIMITS, parameters=PARAMETERS, devfs_ruleset=10)
        spec = self.spec()
        self.assertEqual(spec["limits"], {"memoryuse": {"amount": "512M", "action": "deny", "per": "jail"},
                                          "maxproc": {"amount": 100, "action": "deny", "per": "jail"}})
        self.assertEqual((spec["parameters"], spec["devfs_ruleset"]), (PARAMETERS, 10))

    def test_what_was_read_can_be_written_back(self):
        self.daemon.make(self.name, limits=LIMITS, parameters=PARAMETERS)
        before = self.daemon.request("GET", f"/v1/jails/{self.name}")
        answer = self.daemon.request("PUT", f"/v1/jails/{self.name}", before.json()["spec"],
                                     {"If-Match": before.headers["ETag"]})
        self.assertEqual((answer.status, answer.headers["ETag"]), (200, before.headers["ETag"]))

    def test_live_changes_need_no_restart(self):
        self.daemon.make(self.name, limits=LIMITS)
        jail = self.patch({"limits": {"memoryuse": "1G", "maxproc": None}, "parameters": {"allow.chflags": True}}).json()
        self.assertEqual(list(jail["spec"]["limits"]), ["memoryuse"])
        self.assertNotIn("RestartRequired", [condition["type"] for condition in jail["status"]["conditions"]])
        self.assertEqual(self.daemon.request("GET", f"/v1/jails/{self.name}/plan").json(), {"plan": []})

    def test_other_changes_wait_and_say_so(self):
        self.daemon.make(self.name, parameters=PARAMETERS)
        jail = self.patch({"parameters": {"securelevel": None, "osreldate": 1400097}, "devfs_ruleset": 10}).json()
        waits = [condition for condition in jail["status"]["conditions"] if condition["type"] == "RestartRequired"]
        self.assertEqual(len(waits), 1)
        for pointer in ("/devfs_ruleset", "/parameters/osreldate", "/parameters/securelevel"):
            self.assertIn(pointer, waits[0]["message"])
        jail = self.daemon.request("POST", f"/v1/jails/{self.name}/restart", headers={"Prefer": "wait=60"}).json()
        self.assertNotIn("RestartRequired", [condition["type"] for condition in jail["status"]["conditions"]])

    def test_the_plan_shows_the_limits_first(self):
        answer = self.daemon.request("POST", "/v1/jails?dry_run=true", {"name": "x", "limits": LIMITS})
        plan = [step for step in answer.json()["plan"] if not step.endswith(" default")]  # of its network, if it is not up
        self.assertEqual(plan[0], "ensure_limits x")

    def test_what_this_kernel_does_not_know(self):
        self.daemon.make(self.name, running=False)
        for parameters, code, name in (({"allow.teleport": True}, "no_such_parameter", "allow.teleport"),
                                       ({"nosecurelevel": True}, "no_such_parameter", "nosecurelevel"),
                                       ({"securelevel": "high"}, "wrong_type", "securelevel"),
                                       ({"allow.raw_sockets": 2}, "wrong_type", "allow.raw_sockets"),
                                       ({"sysvmsg": "maybe"}, "wrong_type", "sysvmsg"),
                                       ({"enforce_statfs": 3}, "invalid_value", "enforce_statfs"),
                                       ({"osrelease": "x" * 32}, "too_long", "osrelease")):
            field = "/parameters/" + name
            self.refused(self.daemon.request("POST", "/v1/jails", {"name": "x", "parameters": parameters}), 422, code, field)
            self.refused(self.patch({"parameters": parameters}), 422, code, field)
        self.refused(self.patch({"devfs_ruleset": 11}), 422, "devfs_ruleset_missing", "/devfs_ruleset")
        self.assertEqual(self.spec()["parameters"], {})

    def test_many_changes_at_once_lose_none(self):
        self.daemon.make(self.name, running=False)
        names = [f"allow.{name}" for name in ("chflags", "mlock", "quotas", "raw_sockets", "socket_af", "sysvipc")]
        connections = [(self.daemon.connection(), name) for name in names]
        for connection, name in connections:
            connection.request("PATCH", f"/v1/jails/{self.name}", f'{{"parameters": {{"{name}": true}}}}',
                               {"Content-Type": "application/json"})
        for connection, name in connections:
            self.assertIn(connection.getresponse().status, (200, 202), name)
            connection.close()
        eventually(lambda: self.spec()["parameters"] == {name: True for name in names}, "all are there")
