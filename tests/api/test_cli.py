"""jaildctl against a jaild of its own."""

import json

from cli import jaildctl
from harness import ApiTest, Daemon


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
