"""Jails that need other jails."""

import time

from cli import jaildctl
from harness import ApiTest, eventually

WAIT = {"Prefer": "wait=60"}
# The sweep looks every 5 s: who is woken is much faster, whatever else this machine does.
WOKEN = 4


class Dependencies(ApiTest):
    def tearDown(self):
        for jail in self.daemon.request("GET", "/v1/jails").json()["items"]:
            self.assertIn(self.daemon.delete(jail["name"]).status, (204, 404))
        super().tearDown()

    def jail(self, name):
        return self.daemon.request("GET", f"/v1/jails/{name}").json()

    def ready(self, name):
        conditions = self.jail(name)["status"]["conditions"]  # none before somebody has looked at it
        return next((one for one in conditions if one["type"] == "Ready"), {"reason": None, "message": None})

    def test_a_jail_waits_for_the_one_that_it_needs(self):
        accepted = self.daemon.request("POST", "/v1/jails", {"name": "web", "depends_on": ["app"]})
        self.assertEqual(accepted.status, 202, accepted.body)
        self.daemon.request("POST", "/v1/jails", {"name": "app", "depends_on": ["DB"]})
        eventually(lambda: self.ready("web")["reason"] == "DependencyDown", "web waits")
        eventually(lambda: self.ready("app")["message"] == "waits for DB, which is not there", "app waits")
        operation = accepted.headers["Location"]
        self.assertEqual(self.daemon.request("GET", operation).json()["state"], "running")
        self.assertEqual(self.jail("web")["status"]["state"], "starting")

        self.daemon.make("db", running=False)
        begun = time.monotonic()
        self.daemon.request("PATCH", "/v1/jails/db", {"running": True}, WAIT)
        eventually(lambda: self.jail("web")["status"]["state"] == "running", "web runs")
        self.assertLess(time.monotonic() - begun, WOKEN)
        eventually(lambda: self.daemon.request("GET", operation).json()["state"] == "succeeded", "its operation ended")
        jids = [self.jail(name)["status"]["pid" if self.on_linux() else "jid"] for name in ("db", "app", "web")]
        self.assertEqual(jids, sorted(jids))

        # Who runs goes on.
        self.daemon.request("PATCH", "/v1/jails/db", {"running": False}, WAIT)
        self.assertEqual([self.jail(name)["status"]["state"] for name in ("app", "web")], ["running", "running"])

    def test_a_jail_waits_for_a_healthy_one_and_follows_it(self):
        program = lambda code: ["/bin/sh", "-c", f"exit {code}"] if self.on_linux() else ["exit", str(code)]
        probe = lambda code: {"exec": {"command": program(code)}, "interval": 1, "retries": 1, "start_period": 0}
        needs = [{"jail": "db", "condition": "healthy", "on_death": "restart"}]
        self.daemon.make("db", health=probe(1))
        made = self.daemon.request("POST", "/v1/jails", {"name": "web", "depends_on": needs})
        self.assertEqual(made.json()["spec"]["depends_on"], needs)
        eventually(lambda: self.ready("web")["message"] == "waits for db, which is unhealthy", "web waits")
        self.assertEqual(self.ready("web")["reason"], "DependencyDown")
        self.assertIn("db [healthy, restart]", jaildctl(self.daemon, "ls", "--tree").out)
        self.daemon.request("PATCH", "/v1/jails/db", {"health": probe(0)}, WAIT)
        eventually(lambda: self.jail("web")["status"]["state"] == "running", "web runs")

        life = lambda name: self.jail(name)["status"]["pid" if self.on_linux() else "jid"]
        before = life("web")
        self.assertEqual(self.daemon.request("POST", "/v1/jails/db/restart", None, WAIT).status, 200)
        eventually(lambda: life("web") not in (before, None), "web follows")
        eventually(lambda: self.jail("web")["status"]["state"] == "running", "web runs")
        events = self.daemon.request("GET", "/v1/events?follow=false&jail=web&limit=1000").json()["items"]
        self.assertEqual([one["data"] for one in events if one["type"] == "dependency.restarted"], [{"dependency": "db"}])

    def test_what_is_no_dependency(self):
        for entry, code, field in ((5, "wrong_type", ""), ({}, "missing_field", "/jail"), ({"jail": "a b"}, "invalid_name", "/jail"),
                                   ({"jail": "a", "condition": "good"}, "invalid_value", "/condition"),
                                   ({"jail": "a", "on_death": "mourn"}, "invalid_value", "/on_death")):
            with self.subTest(entry):
                self.refused(self.daemon.request("POST", "/v1/jails", {"name": "x", "depends_on": [entry]}), 422, code,
                             "/depends_on/0" + field)
        circle = lambda name, need: self.daemon.request("POST", "/v1/jails", {"name": name, "running": False,
                                                                              "depends_on": [{"jail": need, "condition": "healthy"}]})
        self.assertEqual(circle("one", "two").status, 202)
        self.refused(circle("two", "one"), 422, "dependency_cycle", "/depends_on")
        made = jaildctl(self.daemon, "create", "three", "--stopped", "--depends-on", "one:healthy", "--depends-on", "two:started:restart")
        self.assertEqual(made.code, 0, made)
        self.assertEqual(self.jail("three")["spec"]["depends_on"],
                         [{"jail": "one", "condition": "healthy", "on_death": "ignore"},
                          {"jail": "two", "condition": "started", "on_death": "restart"}])
        self.assertEqual(jaildctl(self.daemon, "create", "x", "--depends-on", "one:").code, 2)

    def test_a_stop_waits_for_nobody(self):
        self.daemon.request("POST", "/v1/jails", {"name": "web", "depends_on": ["nobody"]})
        eventually(lambda: self.ready("web")["reason"] == "DependencyDown", "web waits")
        stop = self.daemon.request("PATCH", "/v1/jails/web", {"running": False}, WAIT)
        self.assertEqual((stop.status, stop.json()["status"]["state"]), (200, "stopped"))
        free = self.daemon.request("PATCH", "/v1/jails/web", {"running": True, "depends_on": []}, WAIT)
        self.assertEqual((free.status, free.json()["status"]["state"]), (200, "running"))

    def test_circles_are_refused_when_they_are_written(self):
        create = lambda name, needs: self.daemon.request("POST", "/v1/jails", {"name": name, "running": False, "depends_on": needs})
        self.refused(create("one", ["ONE"]), 422, "dependency_cycle", "/depends_on")
        self.assertEqual(create("one", ["two"]).status, 202)
        self.assertEqual(create("two", ["three"]).status, 202)
        problem = self.refused(create("three", ["one"]), 422, "dependency_cycle", "/depends_on")
        self.assertIn("three needs one needs two needs three", problem["detail"])
        self.assertTrue(problem["remedy"])
        self.assertEqual(create("three", []).status, 202)
        self.refused(self.daemon.request("PATCH", "/v1/jails/three", {"depends_on": ["one"]}), 422, "dependency_cycle")
        for needs, code, field in ((["a", "A"], "invalid_value", "/depends_on/1"), (["a b"], "invalid_name", "/depends_on/0"),
                                   (["a"] * 65, "too_many", "/depends_on"), ("a", "wrong_type", "/depends_on")):
            with self.subTest(needs):
                self.refused(create("four", needs), 422, code, field)

    def test_nobody_is_kept_waiting_for_what_somebody_has_to_start(self):
        begun = time.monotonic()
        made = jaildctl(self.daemon, "create", "web", "--depends-on", "db")
        self.assertEqual((made.code, made.out), (0, "creating web: it waits for db, which is not there\n"), made)
        answer = self.daemon.request("POST", "/v1/jails", {"name": "top", "depends_on": ["web"]}, WAIT)
        self.assertEqual(answer.status, 202, answer.body)
        self.assertLess(time.monotonic() - begun, 30)
        # One that is on its way is waited for.
        made = jaildctl(self.daemon, "create", "db")
        self.assertEqual(made.code, 0, made.err)
        eventually(lambda: self.jail("top")["status"]["state"] == "running", "the last of them runs")

    def test_the_tree(self):
        self.assertEqual(jaildctl(self.daemon, "create", "db", "--stopped").code, 0)
        made = jaildctl(self.daemon, "create", "web", "--stopped", "--depends-on", "db", "--depends-on", "cache")
        self.assertEqual(made.code, 0, made.err)
        tree = jaildctl(self.daemon, "ls", "--tree")
        self.assertEqual([line.rstrip() for line in tree.out.splitlines()],
                         ["NAME      STATE", "web       stopped", "├─ db     stopped", "└─ cache  -"], tree.out)
        self.assertEqual(jaildctl(self.daemon, "ls", "--tree", "-q").code, 2)
