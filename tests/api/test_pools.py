"""Pools: jails that are kept ready."""

import json
import time
import unittest

from cli import jaildctl
from harness import ApiTest, Daemon, Settings, eventually

LINUX = Settings.kernel == "linux"
NONE = {"network": {"mode": "none"}}


class Pools(ApiTest):
    def tearDown(self):
        for pool in self.daemon.request("GET", "/v1/pools").json()["items"]:
            self.daemon.request("DELETE", f"/v1/pools/{pool['name']}")
        for jail in self.jails():
            if not jail["pool"]:
                self.daemon.delete(jail["name"])
        eventually(lambda: self.jails() == [], "no jail is left")
        super().tearDown()

    def jails(self):
        return self.daemon.request("GET", "/v1/jails?limit=1000").json()["items"]

    def create(self, name="ci", size=2, **jail):
        made = self.daemon.request("POST", "/v1/pools", {"name": name, "size": size, "jail": {**NONE, **jail}})
        self.assertEqual(made.status, 201, made.body)
        return made.json()

    def status(self, name="ci"):
        return self.daemon.request("GET", f"/v1/pools/{name}").json()["status"]

    def ready(self, count, name="ci"):
        eventually(lambda: self.status(name)["ready"] == count and self.status(name)["coming"] == 0, f"{count} jails are ready")

    def take(self, name="ci", headers=None):
        return self.daemon.request("POST", f"/v1/pools/{name}/take", headers={"Prefer": "wait=60", **(headers or {})})

    def test_it_is_filled_and_each_jail_is_taken_once(self):
        self.create()
        self.ready(2)
        waiting = {jail["name"] for jail in self.jails()}
        self.assertEqual({jail["pool"] for jail in self.jails()}, {"ci"})
        first, second = self.take(), self.take()
        self.assertEqual((first.status, second.status), (200, 200), first.body)
        names = {first.json()["name"], second.json()["name"]}
        self.assertEqual(names, waiting)
        self.assertEqual((first.json()["pool"], first.json()["status"]["state"]), (None, "running"))
        self.ready(2)
        self.assertEqual(len(self.jails()), 4)
        for name in names:
            self.assertEqual(self.daemon.delete(name).status, 204)

    def test_an_empty_pool_gives_a_new_one(self):
        self.create(size=0, labels={"kind": "ci"})
        taken = self.take()
        self.assertEqual(taken.status, 201, taken.body)
        self.assertEqual((taken.json()["pool"], taken.json()["labels"]), (None, {"kind": "ci"}))
        self.assertEqual(taken.json()["spec"]["ephemeral"], {"grace": 30})

    def test_the_same_key_takes_the_same_jail(self):
        self.create()
        self.ready(2)
        key = {"Idempotency-Key": "take-1"}
        first, again = self.take(headers=key), self.take(headers=key)
        self.assertEqual((first.status, again.status), (200, 200))
        self.assertEqual(first.json()["name"], again.json()["name"])
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")

    def test_a_taken_jail_that_nobody_uses_goes(self):
        self.create(size=1, ephemeral={"grace": 1})
        self.ready(1)
        time.sleep(2.5)
        self.ready(1)
        waiting = self.jails()[0]["name"]
        self.assertEqual(self.take().json()["name"], waiting, "while it waits nobody counts its grace")
        eventually(lambda: waiting not in [jail["name"] for jail in self.jails()], "it is gone")

    def test_changes(self):
        self.create()
        self.ready(2)
        before = {jail["name"] for jail in self.jails()}
        patch = lambda body: self.daemon.request("PATCH", "/v1/pools/ci", body)
        self.assertEqual(patch({"size": 3}).json()["size"], 3)
        self.ready(3)
        self.assertLessEqual(before, {jail["name"] for jail in self.jails()})
        self.assertEqual(patch({"jail": {"labels": {"new": "1"}}}).json()["jail"]["labels"], {"new": "1"})
        eventually(lambda: [jail["labels"] for jail in self.jails()] == [{"new": "1"}] * 3, "all are of the new kind")
        self.ready(3)
        patch({"size": 1})
        eventually(lambda: len(self.jails()) == 1, "those that are too many go")
        self.assertEqual(self.daemon.request("DELETE", "/v1/pools/ci").status, 204)
        eventually(lambda: self.jails() == [], "and with the pool all that wait")
        self.refused(self.daemon.request("GET", "/v1/pools/ci"), 404, "pool_not_found")

    def test_what_waits_is_nobodys(self):
        self.create(size=1)
        self.ready(1)
        name = self.jails()[0]["name"]
        self.refused(self.daemon.request("POST", f"/v1/jails/{name}/exec", {"argv": ["echo"]}), 409, "jail_in_pool")
        self.refused(self.daemon.request("PATCH", f"/v1/jails/{name}", {"labels": {"a": "b"}}), 409, "jail_in_pool")
        self.assertEqual(self.daemon.delete(name).status, 204, "who removes one gets another")
        self.ready(1)

    def test_what_is_refused(self):
        post = lambda body: self.daemon.request("POST", "/v1/pools", body)
        for body, code, field in (({"size": 1}, "missing_field", "/name"), ({"name": "1"}, "invalid_name", "/name"),
                                  ({"name": "x", "size": 65}, "invalid_value", "/size"),
                                  ({"name": "x", "size": -1}, "invalid_value", "/size"),
                                  ({"name": "x", "size": "2"}, "wrong_type", "/size"),
                                  ({"name": "x", "colour": 1}, "unknown_field", "/colour"),
                                  ({"name": "x", "jail": {"colour": 1}}, "unknown_field", "/jail/colour"),
                                  ({"name": "x", "jail": {"command": ["sh"]}}, "not_for_pools", "/jail/command"),
                                  ({"name": "x", "jail": {"running": False}}, "not_for_pools", "/jail/running"),
                                  ({"name": "x", "jail": {"ephemeral": False}}, "not_for_pools", "/jail/ephemeral"),
                                  ({"name": "x", "jail": {"publish": [{"host_port": 80}]}}, "not_for_pools", "/jail/publish"),
                                  ({"name": "x", "jail": {"root": {"kind": "path", "path": "/srv"}}}, "not_for_pools", "/jail/root"),
                                  ({"name": "x", "jail": {"template": "nosuch:1"}}, "template_unknown", "/jail/template")):
            with self.subTest(str(body)):
                self.refused(post(body), 422, code, field)
        self.create("Twice", size=0)
        self.refused(post({"name": "twice"}), 409, "pool_exists", "/name")
        self.refused(self.take("nosuch"), 404, "pool_not_found")
        self.refused(self.daemon.request("PATCH", "/v1/pools/twice", {"name": "x"}), 422, "immutable_field", "/name")

    def test_no_more_than_so_many(self):
        for number in range(64):
            self.create(f"p{number}", size=0)
        self.refused(self.daemon.request("POST", "/v1/pools", {"name": "more"}), 507, "too_many_pools")

    def test_by_the_command_line(self):
        self.assertEqual(jaildctl(self.daemon, "pool", "create", "ci", "--size", "2", "--network", "none", "--label", "a=b").out,
                         "created pool ci\n")
        self.ready(2)
        self.assertEqual(jaildctl(self.daemon, "ls", "-q").out, "", "what waits is not listed")
        self.assertEqual(len(jaildctl(self.daemon, "ls", "-q", "--all").out.split()), 2)
        ran = jaildctl(self.daemon, "run", "--rm", "--pool", "ci", "--", "echo", "hi")
        self.assertEqual((ran.code, ran.out, ran.err), (0, "hi\n", ""), ran)
        self.assertEqual(jaildctl(self.daemon, "pool", "set", "ci", "--size", "0").code, 0)
        ran = jaildctl(self.daemon, "run", "-v", "--rm", "--pool", "ci", "--", "echo", "hi")
        self.assertEqual((ran.code, ran.out), (0, "hi\n"), ran)
        self.assertIn("jail", ran.err)
        shown = json.loads(jaildctl(self.daemon, "pool", "show", "ci").out)
        self.assertEqual((shown["size"], shown["jail"]["labels"]), (0, {"a": "b"}))
        self.assertIn("ci", jaildctl(self.daemon, "pool", "ls").out)
        ran = jaildctl(self.daemon, "run", "--rm", "--pool", "ci", "--network", "none", "--", "echo")
        self.assertEqual(ran.code, 2, ran)
        self.assertEqual(jaildctl(self.daemon, "run", "--rm", "--pool", "nosuch", "--", "echo").code, 125)
        self.assertEqual(jaildctl(self.daemon, "pool", "rm", "ci").out, "removed pool ci\n")

    @unittest.skipUnless(LINUX, "in the model every start fails or none does")
    def test_jails_that_do_not_come_up_are_said_and_tried_again_later(self):
        self.create(size=2, exec={"start": ["/nosuch"]})
        eventually(lambda: self.status()["failure"], "it says why")
        self.assertIn("/nosuch", self.status()["failure"])
        self.daemon.request("PATCH", "/v1/pools/ci", {"jail": {"exec": None}})
        self.ready(2)
        self.assertIsNone(self.status()["failure"])


class Daemons(ApiTest):
    def test_a_pool_goes_on_with_the_next_daemon(self):
        own = Daemon()
        try:
            own.request("POST", "/v1/pools", {"name": "ci", "size": 2, "jail": NONE})
            status = lambda: own.request("GET", "/v1/pools/ci").json()["status"]
            eventually(lambda: status()["ready"] == 2, "it is full")
            before = {jail["name"] for jail in own.request("GET", "/v1/jails").json()["items"]}
            own.kill()
            own.start()
            eventually(lambda: status()["ready"] == 2, "it is full")
            after = {jail["name"] for jail in own.request("GET", "/v1/jails").json()["items"]}
            if LINUX:
                self.assertEqual(before, after, "with the same jails")
            else:
                self.assertFalse(before & after, "the host was started anew: with other jails")
            own.request("DELETE", "/v1/pools/ci")
            eventually(lambda: own.request("GET", "/v1/jails").json()["items"] == [], "nothing is left")
        finally:
            own.remove()


if __name__ == "__main__":
    unittest.main()
