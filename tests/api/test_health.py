"""Whether jails do their work: probes, what they make of a jail, and what is told of it."""

import subprocess
import time

from cli import jaildctl
from harness import ApiTest, Daemon, eventually

WAIT = {"Prefer": "wait=60"}
SERVER = "import http.server as s\nclass H(s.BaseHTTPRequestHandler):\n def do_GET(self):\n  self.send_response(200 if self.path=='/good' else 503)\n  self.end_headers()\ns.HTTPServer(('',80),H).serve_forever()"


class Health(ApiTest):
    def tearDown(self):
        for jail in self.daemon.request("GET", "/v1/jails").json()["items"]:
            self.assertIn(self.daemon.delete(jail["name"]).status, (204, 404))
        super().tearDown()

    def server(self):
        """A command that listens on port 80; the memory kernel's listens on every port, and is content with any path."""
        return ["/usr/bin/python3", "-c", SERVER] if self.on_linux() else ["sleep", "1000"]

    def program(self, code):
        return ["/bin/sh", "-c", f"echo first; echo it says {code}; exit {code}"] if self.on_linux() else ["exit", str(code)]

    def jail(self, name="web"):
        return self.daemon.request("GET", f"/v1/jails/{name}").json()

    def health(self, name="web"):
        return self.jail(name)["status"]["health"]

    def is_in(self, state, name="web"):
        health = self.health(name)
        return health is not None and health["state"] == state

    def condition(self, kind, name="web"):
        return next((one for one in self.jail(name)["status"]["conditions"] if one["type"] == kind and one["status"]), None)

    def events(self, kind, name="web"):
        items = self.daemon.request("GET", f"/v1/events?follow=false&jail={name}&limit=1000").json()["items"]
        return [one["data"] for one in items if one["type"] == kind]

    def life(self, name="web"):
        return self.jail(name)["status"]["pid" if self.on_linux() else "jid"]

    def test_a_jail_without_a_probe_has_no_health(self):
        made = self.daemon.make("web")
        self.assertIsNone(made["spec"]["health"])
        self.assertIsNone(made["status"]["health"])

    def test_what_is_refused(self):
        for health, code, field in (("tcp", "wrong_type", "/health"), ({}, "missing_field", "/health"),
                                    ({"tcp": {"port": 80}, "http": {"port": 80}}, "invalid_value", "/health"),
                                    ({"tcp": {"port": 0}}, "invalid_port", "/health/tcp/port"),
                                    ({"http": {"port": 80, "path": "no"}}, "invalid_value", "/health/http/path"),
                                    ({"http": {"port": 80, "status": 99}}, "invalid_value", "/health/http/status"),
                                    ({"exec": {"command": []}}, "invalid_value", "/health/exec/command"),
                                    ({"tcp": {"port": 80}, "interval": 0}, "invalid_value", "/health/interval"),
                                    ({"tcp": {"port": 80}, "every": 9}, "unknown_field", "/health/every")):
            with self.subTest(health):
                self.refused(self.daemon.request("POST", "/v1/jails", {"name": "x", "health": health}), 422, code, field)

    def test_a_probe_from_the_host_needs_a_way_to_the_jail(self):
        spec = {"name": "web", "network": {"mode": "none"}, "health": {"tcp": {"port": 80}}}
        answer = self.daemon.request("POST", "/v1/jails", spec)
        if self.on_linux():
            self.assertEqual(answer.status, 202)
            return
        problem = self.refused(answer, 422, "probe_out_of_reach", "/health/tcp")
        self.assertIn("exec probe", problem["remedy"])
        learned = {"interfaces": [{"ipv4": "dhcp", "ipv6": "slaac"}]}
        self.refused(self.daemon.request("POST", "/v1/jails", {**spec, "network": learned}), 422, "probe_out_of_reach")
        spec["health"] = {"exec": {"command": self.program(0)}}
        self.assertEqual(self.daemon.request("POST", "/v1/jails", spec).status, 202)

    def test_tcp_and_http_probes_find_the_server(self):
        for health in ({"tcp": {"port": 80}}, {"http": {"port": 80, "path": "/good", "status": 200}}):
            with self.subTest(health):
                made = self.daemon.make("web", command=self.server(), health=health)
                self.assertEqual(made["spec"]["health"]["interval"], 10)
                eventually(lambda: self.is_in("healthy"), "the jail is healthy")
                self.assertEqual((self.health()["failures"], self.health()["message"]), (0, ""))
                eventually(lambda: self.events("jail.healthy"), "an event says so")
                self.assertIn("web", jaildctl(self.daemon, "ls").out)
                self.assertIn("running (healthy)", jaildctl(self.daemon, "ls").out)
                self.assertIn(self.daemon.delete("web").status, (204, 404))

    def test_a_probe_that_fails_says_what_it_met(self):
        if self.on_linux():
            health, said = {"http": {"port": 80, "path": "/bad"}}, "status 503"
        else:
            health, said = {"exec": {"command": self.program(3)}}, "exit code 3"
        self.daemon.make("web", command=self.server(), health={**health, "interval": 1, "retries": 2, "start_period": 0})
        eventually(lambda: self.is_in("unhealthy"), "the jail is unhealthy")
        self.assertIn(said, self.health()["message"])
        self.assertGreaterEqual(self.health()["failures"], 2)
        eventually(lambda: self.condition("Unhealthy"), "a condition says so")
        self.assertIn(said, self.condition("Unhealthy")["message"])
        self.assertEqual(self.jail()["status"]["state"], "running")
        eventually(lambda: self.events("jail.unhealthy"), "so does an event, a moment later")
        why = jaildctl(self.daemon, "why", "web").out
        self.assertIn("web is running (unhealthy)", why)
        self.assertIn("Unhealthy=true ProbeFailed", why)
        self.assertIn("jail.unhealthy", why)
        # Another probe is taken up at once.
        good = {"exec": {"command": self.program(0)}, "http": None}
        self.daemon.request("PATCH", "/v1/jails/web", {"health": good}, WAIT)
        eventually(lambda: self.is_in("healthy"), "the jail is healthy")
        self.daemon.request("PATCH", "/v1/jails/web", {"health": None}, WAIT)
        eventually(lambda: self.health() is None, "nobody asks any more")

    def test_a_program_that_does_not_end_is_killed(self):
        command = ["/bin/sleep", "7654321"] if self.on_linux() else ["sleep", "1000"]
        self.daemon.make("web", health={"exec": {"command": command}, "interval": 1, "timeout": 1, "retries": 1, "start_period": 0})
        eventually(lambda: self.is_in("unhealthy"), "the jail is unhealthy")
        self.assertIn("more than 1 s, and was killed", self.health()["message"])
        if not self.on_linux():
            return
        count = lambda: int(subprocess.run(["pgrep", "-fc", "/bin/sleep 7654321"], capture_output=True, text=True).stdout)
        seen = []
        for _ in range(40):
            seen.append(count())
            time.sleep(0.1)
        self.assertLessEqual(max(seen), 1, seen)
        self.assertIn(0, seen)

    def test_the_last_line_of_a_program_is_told(self):
        if not self.on_linux():
            self.skipTest("the memory kernel's programs print nothing")
        self.daemon.make("web", health={"exec": {"command": self.program(4)}, "interval": 1, "retries": 1, "start_period": 0})
        eventually(lambda: self.is_in("unhealthy"), "the jail is unhealthy")
        self.assertEqual(self.health()["message"], "exit code 4: it says 4")

    def test_an_unhealthy_jail_is_restarted_until_its_retries_are_spent(self):
        health = {"exec": {"command": self.program(1)}, "interval": 1, "retries": 1, "start_period": 0, "restart": True}
        self.daemon.make("web", command=self.server(), health=health, restart={"max_retries": 2, "delay": 1})
        eventually(lambda: self.jail()["status"]["state"] == "failed", "the jail is given up")
        status = self.jail()["status"]
        self.assertEqual(status["restarts"], 2)
        self.assertIn("the jail was unhealthy after 2 restarts", self.condition("RetriesSpent")["message"])
        self.assertEqual([one["after"]["reason"] for one in self.events("command.restarted")][-2:], ["unhealthy"] * 2)
        # A stop is a stop.
        stop = self.daemon.request("PATCH", "/v1/jails/web", {"running": False}, WAIT)
        self.assertEqual((stop.status, stop.json()["status"]["state"]), (200, "stopped"))

    def test_the_command_line_makes_probes(self):
        made = jaildctl(self.daemon, "create", "web", "--health-http", "8080/status", "--health-interval", "7", "--health-timeout",
                        "2", "--health-retries", "4", "--health-start-period", "0", "--health-restart", "--stopped")
        self.assertEqual(made.code, 0, made)
        self.assertEqual(self.jail()["spec"]["health"],
                         {"http": {"port": 8080, "path": "/status", "host": "", "status": "200-399"}, "interval": 7, "timeout": 2,
                          "retries": 4, "start_period": 0, "restart": True})
        made = jaildctl(self.daemon, "create", "db", "--health-cmd", "/bin/check -q db", "--stopped")
        self.assertEqual(self.jail("db")["spec"]["health"]["exec"], {"command": ["/bin/check", "-q", "db"]}, made)
        made = jaildctl(self.daemon, "create", "app", "--health-tcp", "5432", "--stopped")
        self.assertEqual(self.jail("app")["spec"]["health"]["tcp"], {"port": 5432}, made)
        for wrong in (["--health-http", "x"], ["--health-tcp", "0"], ["--health-tcp", "1", "--health-http", "1"],
                      ["--health-interval", "5"], ["--health-retries", "101", "--health-tcp", "80"]):
            with self.subTest(wrong):
                self.assertEqual(jaildctl(self.daemon, "create", "x", *wrong).code, 2)


class HealthOverDaemons(ApiTest):
    daemon = None

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def tearDown(self):
        pass

    def test_a_daemon_that_comes_back_finds_jails_healthy(self):
        from harness import Settings
        if Settings.kernel != "linux":
            self.skipTest("the memory kernel's jails end with the daemon")
        daemon = Daemon()
        try:
            daemon.make("web", command=["/usr/bin/python3", "-c", SERVER],
                        health={"tcp": {"port": 80}, "interval": 1, "retries": 1, "restart": True})
            status = lambda: daemon.request("GET", "/v1/jails/web").json()["status"]
            told = lambda: len([one for one in daemon.request(
                "GET", "/v1/events?follow=false&jail=web&limit=1000").json()["items"] if one["type"] == "jail.healthy"])
            # The status is told first; a daemon that is killed in between leaves no event.
            eventually(lambda: told() == 1, "the jail is healthy")
            pid = status()["pid"]
            for _ in range(3):
                daemon.kill()
                daemon.start()
                eventually(lambda: (status()["health"] or {}).get("state") == "healthy", "the jail is healthy", 5)
                self.assertEqual((status()["pid"], status()["restarts"]), (pid, 0))
            self.assertEqual(told(), 1)
        finally:
            daemon.remove()
