"""A host that has too much to do, and one that slept: on a real kernel, with the real clock."""

import os
import signal
import subprocess
import time
import unittest

from harness import ApiTest, Settings, eventually, needs_root

WAIT = {"Prefer": "wait=60"}
BUSY_SECONDS = 60  # a test that hangs leaves no busy host behind
STOP_TIMEOUT = 3
STOP_GRACE = 2
LISTENER = ("import socket as s\nl=s.socket()\nl.setsockopt(s.SOL_SOCKET,s.SO_REUSEADDR,1)\nl.bind(('',80))\n"
            "l.listen(9)\nwhile 1: l.accept()[0].close()")
PROBE = {"interval": 1, "timeout": 10, "retries": 1, "start_period": 0, "restart": True}


@needs_root
@unittest.skipUnless(Settings.kernel == "linux", "real programs'")
class Overload(ApiTest):
    def tearDown(self):
        for jail in self.daemon.request("GET", "/v1/jails").json()["items"]:
            self.assertIn(self.daemon.delete(jail["name"]).status, (204, 404))
        super().tearDown()

    def occupy(self):
        """Every processor, twice."""
        for _ in range(2 * os.cpu_count()):
            hog = subprocess.Popen(["timeout", "-s", "KILL", str(BUSY_SECONDS), "sh", "-c", "while :; do :; done"],
                                   start_new_session=True)
            self.addCleanup(hog.wait)
            self.addCleanup(self.end_group, hog)

    @staticmethod
    def end_group(process):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def jail(self, name):
        return self.daemon.request("GET", f"/v1/jails/{name}").json()

    def life(self, name):
        status = self.jail(name)["status"]
        return status["pid"], status["command_pid"], status["restarts"]

    def is_healthy(self, name):
        health = self.jail(name)["status"]["health"]
        return health is not None and health["state"] == "healthy"

    def turned_unhealthy(self, name):
        items = self.daemon.request("GET", f"/v1/events?follow=false&jail={name}&limit=1000").json()["items"]
        return [one for one in items if one["data"].get("state") == "unhealthy"]

    def probed_jails(self):
        """One for each kind of probe."""
        server = ["/usr/bin/python3", "-c", LISTENER]
        self.daemon.make("asked", health={**PROBE, "exec": {"command": ["/bin/true"]}}, command=["sleep", "1000"])
        self.daemon.make("called", health={**PROBE, "tcp": {"port": 80}}, command=server)
        names = ("asked", "called")
        for name in names:
            eventually(lambda: self.is_healthy(name), f"{name} is healthy")
        return {name: self.life(name) for name in names}

    def test_probes_that_answer_in_time_do_so_on_a_busy_host_too(self):
        before = self.probed_jails()
        self.occupy()
        end = time.monotonic() + 15
        while time.monotonic() < end:
            for name, life in before.items():
                self.assertTrue(self.is_healthy(name), name)
                self.assertEqual(self.life(name), life)
            time.sleep(0.25)
        for name in before:
            self.assertEqual(self.turned_unhealthy(name), [])

    def test_a_stop_ends_in_time_on_a_busy_host(self):
        deaf = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
        self.daemon.make("deaf", command=deaf, exec={"timeout": STOP_TIMEOUT})
        self.occupy()
        begun = time.monotonic()
        stopped = self.daemon.request("PATCH", "/v1/jails/deaf", {"running": False}, WAIT, timeout=60)
        took = time.monotonic() - begun
        self.assertEqual(stopped.status, 200, stopped.body)
        self.assertEqual(stopped.json()["status"]["state"], "stopped")
        self.assertGreaterEqual(took, STOP_TIMEOUT)
        self.assertLess(took, STOP_TIMEOUT + STOP_GRACE)

    def test_a_daemon_that_slept_finds_all_as_it_was(self):
        """As a host does that is suspended: what was due meanwhile is not late."""
        before = self.probed_jails()
        self.daemon.make("worker", command=["sleep", "1000"], restart={"policy": "always", "max_retries": 1})
        before["worker"] = self.life("worker")
        self.daemon.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(PROBE["timeout"] + PROBE["interval"] + 2)
        finally:
            self.daemon.process.send_signal(signal.SIGCONT)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            for name, life in before.items():
                self.assertEqual(self.life(name), life, name)
            time.sleep(0.25)
        for name in before:
            self.assertEqual(self.turned_unhealthy(name), [])
        self.assertTrue(self.is_healthy("asked") and self.is_healthy("called"))
