"""What follows when a jail's command ends by itself."""

import os
import signal
import time

from cli import jaildctl
from harness import ApiTest, Daemon, eventually

WAIT = {"Prefer": "wait=60"}


class RestartPolicy(ApiTest):
    def tearDown(self):
        for jail in self.daemon.request("GET", "/v1/jails").json()["items"]:
            self.assertIn(self.daemon.delete(jail["name"]).status, (204, 404))
        super().tearDown()

    def ends_with(self, code):
        return ["/bin/sh", "-c", f"echo it ends; exit {code}"] if self.on_linux() else ["exit", str(code)]

    def jail(self, name="web"):
        return self.daemon.request("GET", f"/v1/jails/{name}").json()

    def condition(self, kind, name="web"):
        return next((one for one in self.jail(name)["status"]["conditions"] if one["type"] == kind and one["status"]), None)

    def events(self, kind):
        """Of all jails, since the daemon's first start."""
        items = self.daemon.request("GET", "/v1/events?follow=false&jail=web&limit=1000").json()["items"]
        return [one["data"] for one in items if one["type"] == kind]

    def test_a_policy_alone_is_the_object_with_its_defaults(self):
        whole = {"policy": "on-failure", "delay": 1, "max_delay": 60, "reset_after": 60, "max_retries": None, "window": 600}
        made = self.daemon.make("web", running=False, restart="on-failure")
        self.assertEqual(made["spec"]["restart"], whole)
        patch = lambda value: self.daemon.request("PATCH", "/v1/jails/web", {"restart": value}, WAIT).json()["spec"]["restart"]
        self.assertEqual(patch({"max_retries": 5, "delay": 2}), {**whole, "max_retries": 5, "delay": 2})
        self.assertEqual(patch({"policy": "always"}), {**whole, "policy": "always", "max_retries": 5, "delay": 2})
        self.assertEqual(patch("on-failure"), whole)
        self.assertEqual(patch(None)["policy"], "no")

    def test_what_is_refused(self):
        for restart, code, field in (("sometimes", "invalid_value", "/restart"), (5, "wrong_type", "/restart"),
                                     ({"policy": "unless-stopped"}, "invalid_value", "/restart/policy"),
                                     ({"max_retries": 0}, "invalid_value", "/restart/max_retries"),
                                     ({"max_retries": 1001}, "invalid_value", "/restart/max_retries"),
                                     ({"delay": 0}, "invalid_value", "/restart/delay"),
                                     ({"delay": 9, "max_delay": 3}, "invalid_value", "/restart/max_delay"),
                                     ({"window": 86401}, "invalid_value", "/restart/window"),
                                     ({"times": 3}, "unknown_field", "/restart/times")):
            with self.subTest(restart):
                self.refused(self.daemon.request("POST", "/v1/jails", {"name": "x", "restart": restart}), 422, code, field)

    def test_retries_are_spent_and_a_restart_is_a_new_beginning(self):
        self.daemon.make("web", command=self.ends_with(3), restart={"policy": "on-failure", "max_retries": 2})
        eventually(lambda: self.jail()["status"]["state"] == "failed", "the jail is given up")
        status = self.jail()["status"]
        self.assertEqual(status["restarts"], 2)
        self.assertEqual((status["last_exit"]["exit_code"], status["last_exit"]["reason"]), (3, "exited"))
        spent = self.condition("RetriesSpent")
        self.assertIn("2 restarts within 600 s", spent["message"])
        self.assertEqual(spent["message"].count("exit code 3"), 3)
        if self.on_linux():
            self.assertIn("it ends | it ends | it ends", spent["message"])
        self.assertEqual([one["restarts"] for one in self.events("command.restarted")][-2:], [1, 2])
        self.assertGreaterEqual(len(self.events("command.ended")), 3)
        self.assertEqual(next(c["reason"] for c in status["conditions"] if c["type"] == "Ready"), "TooManyRestarts")
        # It is not touched any more: nobody runs it behind the user's back.
        before = self.jail()["status"]
        time.sleep(0.5)
        self.assertEqual(self.jail()["status"], before)

        start = jaildctl(self.daemon, "start", "web")
        self.assertEqual(start.code, 1, "a start of what is given up is no new beginning")
        self.assertIn("restart the jail for a new try", start.err)

        long = ["sleep", "1000"]
        self.daemon.request("PATCH", "/v1/jails/web", {"command": long}, WAIT)
        again = self.daemon.request("POST", "/v1/jails/web/restart", None, WAIT)
        self.assertEqual((again.status, again.json()["status"]["state"]), (200, "running"))
        self.assertEqual(again.json()["status"]["restarts"], 0)
        self.assertIsNone(self.condition("RetriesSpent"))

    def test_an_exit_that_the_policy_leaves_stays(self):
        self.daemon.make("web", command=self.ends_with(0), restart="on-failure")
        ended = eventually(lambda: self.condition("CommandEnded"), "the command ended")
        self.assertIn('"on-failure" does not run it again', ended["message"])
        self.assertEqual((self.jail()["status"]["state"], self.jail()["status"]["restarts"]), ("running", 0))
        # The policy is live: another one answers the same end.
        self.daemon.request("PATCH", "/v1/jails/web", {"restart": {"policy": "always", "max_retries": 1}}, WAIT)
        eventually(lambda: self.jail()["status"]["restarts"] == 1, "a restart by the new policy")

    def test_a_stop_is_never_answered_with_a_restart(self):
        self.daemon.make("web", command=self.ends_with(1), restart={"policy": "always", "delay": 60, "max_delay": 60})
        waits = eventually(lambda: self.jail()["status"]["restarts"] == 1 and self.condition("CommandEnded"), "a wait")
        self.assertIn("it is run again at 2", waits["message"])
        self.assertEqual(self.jail()["status"]["state"], "starting")
        stop = self.daemon.request("PATCH", "/v1/jails/web", {"running": False}, WAIT)
        self.assertEqual((stop.status, stop.json()["status"]["state"]), (200, "stopped"))
        time.sleep(0.3)
        self.assertEqual(self.jail()["status"]["state"], "stopped")

    def test_the_command_line(self):
        made = jaildctl(self.daemon, "create", "web", "--restart", "on-failure:5", "--stopped")
        self.assertEqual(made.code, 0, made.err)
        self.assertEqual(self.jail()["spec"]["restart"]["max_retries"], 5)
        wrong = jaildctl(self.daemon, "create", "x", "--restart", "always:")
        self.assertEqual(wrong.code, 2)
        self.assertIn("POLICY[:RETRIES]", wrong.err)
        refused = jaildctl(self.daemon, "create", "x", "--restart", "always:many")
        self.assertEqual(refused.code, 1)
        self.assertIn("/restart/max_retries", refused.err)


class RestartsOfRealProcesses(ApiTest):
    def setUp(self):
        super().setUp()
        if not self.on_linux():
            self.skipTest("the memory kernel has no processes")

    def tearDown(self):
        for jail in self.daemon.request("GET", "/v1/jails").json()["items"]:
            self.assertIn(self.daemon.delete(jail["name"]).status, (204, 404))
        super().tearDown()

    def status(self, daemon=None):
        return (daemon or self.daemon).request("GET", "/v1/jails/web").json()["status"]

    def test_a_killed_command_comes_back_at_once_and_what_it_left_behind_is_gone(self):
        # A grandchild that holds on to the port would keep its successor from it.
        self.daemon.make("web", restart="always", command=["/bin/sh", "-c", "(setsid sleep 1000 &) ; exec sleep 1000"])
        before = self.status()
        begun = time.monotonic()
        os.kill(before["command_pid"], signal.SIGKILL)
        after = eventually(lambda: self.status()["command_pid"] not in (None, before["command_pid"]) and self.status(),
                           "another process")
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual((after["restarts"], after["last_exit"]["signal"]), (1, 9))
        self.assertGreater(after["last_exit"]["ran_seconds"], 0)
        count = "grep -l '^sleep$' /proc/[0-9]*/comm | wc -l"
        answer = self.daemon.request("POST", "/v1/jails/web/exec", {"argv": ["/bin/sh", "-c", count]}).json()
        self.assertEqual(answer["stdout"].strip(), "2", "the grandchild and the command of one life")

    def test_a_daemon_that_was_killed_goes_on_counting(self):
        daemon = Daemon()
        self.addCleanup(daemon.remove)
        daemon.make("web", command=["/bin/sh", "-c", "sleep 0.2; exit 4"],
                    restart={"policy": "on-failure", "max_retries": 4, "max_delay": 1})
        for _ in range(3):
            time.sleep(0.4)
            daemon.kill()
            daemon.start()
        eventually(lambda: self.status(daemon)["state"] == "failed", "it is given up")
        self.assertEqual(self.status(daemon)["restarts"], 4)
        log = daemon.request("GET", "/v1/jails/web/logs").body
        self.assertEqual(log.count(b"\n"), 0, log)
        spent = [one for one in self.status(daemon)["conditions"] if one["type"] == "RetriesSpent"]
        self.assertEqual(spent[0]["message"].count("exit code 4"), 5)
