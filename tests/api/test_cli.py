"""jaildctl against a jaild of its own."""

import json
import unittest

from cli import finish, jaildctl, start
from harness import ApiTest, Daemon, Settings, eventually

LINUX = Settings.kernel == "linux"


class Events(ApiTest):
    def test_of_no_jail(self):
        """The first event of an installation names no jail."""
        fresh = Daemon()
        try:
            stored = fresh.request("GET", "/v1/events?follow=false").json()["items"]
            self.assertIn(None, [event["jail"] for event in stored])
            ran = jaildctl(fresh, "events")
            self.assertEqual((ran.code, ran.err), (0, ""), ran)
            lines = ran.out.splitlines()
            self.assertEqual([line.split()[1] for line in lines], [event["type"] for event in stored])
            self.assertEqual([line.split()[2] for line in lines], [event["jail"] or "-" for event in stored])
            ran = jaildctl(fresh, "-o", "json", "events")
            self.assertEqual(json.loads(ran.out)["items"], stored, ran)
        finally:
            fresh.remove()


class Exec(ApiTest):
    @unittest.skipUnless(LINUX, "needs a kernel that runs programs")
    def test_twelve_at_a_time(self):
        self.daemon.make("box")
        script = "echo > /tmp/$$; while test ! -e /tmp/go; do sleep 0.1; done; echo done"
        running = [start(self.daemon, "exec", "box", "--", "sh", "-c", script) for _ in range(12)]
        count = ["exec", "box", "--", "sh", "-c", "ls /tmp | wc -l"]
        eventually(lambda: jaildctl(self.daemon, *count).out.strip() == "12", "all run together")
        self.assertEqual(jaildctl(self.daemon, "exec", "box", "--", "touch", "/tmp/go").code, 0)
        for ran in map(finish, running):
            self.assertEqual((ran.code, ran.out, ran.err), (0, "done\n", ""), ran)
