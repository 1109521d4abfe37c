"""Events: pages, streams, replays, and readers that do not read."""

import json
import os
import socket
import subprocess
import sys
import time
import unittest

from harness import ApiTest, Daemon, Settings, ask, eventually


def descriptors(pid):
    """How many a process has: procfs is rarely mounted on FreeBSD."""
    if sys.platform.startswith("linux"):
        return len(os.listdir(f"/proc/{pid}/fd"))
    shown = subprocess.run(["procstat", "-h", "-f", str(pid)], capture_output=True, text=True, check=True).stdout
    return len(shown.splitlines())


class Stream:
    """One reader of /v1/events, event by event."""

    path = "/v1/events"

    def __init__(self, daemon, query="", headers=None, timeout=30, path=None):
        self.socket = daemon.raw(timeout=timeout)
        fields = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.socket.sendall(f"GET {path or self.path}{query} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline().strip()):
            name, _, value = line.partition(b":")
            self.headers[name.decode().lower()] = value.decode().strip()
        self.text = b""

    def block(self):
        """The next block of lines: an event, a comment, a retry; None at the end."""
        while b"\n\n" not in self.text:
            size = int(self.file.readline() or b"0", 16)
            if size == 0:
                return None
            self.text += self.file.read(size)
            self.file.readline()
        block, _, self.text = self.text.partition(b"\n\n")
        return block.decode()

    def event(self):
        while (block := self.block()) is not None:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            if "data" not in fields:
                continue
            event = json.loads(fields["data"])
            if (str(event["seq"]), event["type"]) != (fields["id"], fields["event"]):
                raise AssertionError(block)
            return event
        return None

    def until(self, kind, jail):
        while True:
            event = self.event()
            if event is None:
                raise AssertionError(f"the stream ended before {kind} of {jail}")
            if (event["type"], event["jail"]) == (kind, jail):
                return event

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Pages(ApiTest):
    def page(self, query=""):
        answer = self.daemon.request("GET", f"/v1/events?follow=false{query}")
        self.assertEqual(answer.status, 200)
        following = answer.headers["Link"].split(">")[0].removeprefix("<")
        return answer.json()["items"], following

    def test_all_from_the_first(self):
        self.daemon.make(self.name)
        newest, _ = self.page("&limit=1")
        self.assertEqual(len(newest), 1)
        target, seen = "&after=0&limit=3", []
        while True:
            items, following = self.page(target)
            seen += items
            target = following.removeprefix("/v1/events?follow=false")
            if not items:
                break
        numbers = [event["seq"] for event in seen]
        self.assertEqual(numbers, sorted(set(numbers)))
        mine = [event["type"] for event in seen if event["jail"] == self.name]
        self.assertEqual(mine[0], "jail.created")
        self.assertIn("operation.finished", mine)
        # Where the list ended, it goes on.
        self.daemon.request("PATCH", f"/v1/jails/{self.name}", {"labels": {"a": "b"}}, {"Prefer": "wait=60"})
        later, _ = self.page(target)
        self.assertEqual(later[0]["type"], "jail.changed")

    def test_of_one_jail(self):
        for name in ("mine", "other"):
            self.daemon.make(name, running=False)
        for query in ("&jail=mine", "&jail=MINE", "&jail=mine&after=0", "&jail=MINE&after=0"):
            items, _ = self.page(query)
            self.assertTrue(items, query)
            self.assertEqual({event["jail"] for event in items}, {"mine"})
        self.assertEqual(self.page("&jail=nobody")[0], [])

    def test_after_the_last(self):
        newest, _ = self.page("&limit=1")
        self.assertEqual(self.page(f"&after={newest[0]['seq']}")[0], [])
        # A number of another database: whoever holds it has missed something.
        for query in ("?follow=false&after=999999999", "?after=999999999"):
            self.refused(self.daemon.request("GET", f"/v1/events{query}"), 410, "events_gone")

    def test_what_is_no_query(self):
        for query, status, code in (("follow=maybe", 400, "invalid_parameter"), ("after=-1", 400, "invalid_parameter"),
                                    ("after=x", 400, "invalid_parameter"), ("limit=5", 400, "invalid_parameter"),
                                    ("follow=false&limit=0", 400, "invalid_parameter"),
                                    ("jail=a.b", 422, "invalid_name"), ("since=1", 400, "unknown_parameter")):
            self.refused(self.daemon.request("GET", f"/v1/events?{query}"), status, code)
        self.refused(self.daemon.request("GET", "/v1/events", headers={"Last-Event-ID": "last"}), 400,
                     "invalid_parameter")


class Streams(ApiTest):
    def test_what_happens_is_told(self):
        with Stream(self.daemon) as stream:
            self.assertEqual((stream.status, stream.headers["content-type"]), (200, "text/event-stream"))
            self.assertTrue(stream.block().startswith("retry:"))
            self.daemon.make(self.name)
            created = stream.event()
            self.assertEqual((created["type"], created["jail"]), ("jail.created", self.name))
            stream.until("operation.finished", self.name)

    def test_a_reader_that_comes_back_misses_nothing(self):
        with Stream(self.daemon) as stream:
            self.daemon.make(self.name)
            known = stream.until("jail.created", self.name)["seq"]
        self.daemon.delete(self.name)
        for query, headers in (("", {"Last-Event-ID": known}), (f"?after={known}", {}),
                               ("?after=0", {"Last-Event-ID": known})):
            with Stream(self.daemon, query, headers) as stream:
                first = stream.event()
                self.assertEqual(first["seq"], known + 1)
                stream.until("jail.removed", self.name)

    def test_of_one_jail(self):
        with Stream(self.daemon, "?jail=only-me") as stream:
            for name in ("not-me", "only-me"):
                self.daemon.make(name, running=False)
            event = stream.until("operation.finished", "only-me")
            self.assertEqual(event["jail"], "only-me")

    def test_silence_is_broken_by_a_comment(self):
        with Stream(self.daemon) as stream:
            stream.block()
            begin = time.monotonic()
            self.assertTrue(stream.block().startswith(":"))
            self.assertLess(time.monotonic() - begin, 25)

    def test_head(self):
        answer = self.daemon.request("HEAD", "/v1/events")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "text/event-stream"))

    def test_64_readers_and_not_one_more(self):
        streams = [Stream(self.daemon) for _ in range(64)]
        try:
            self.assertEqual({stream.status for stream in streams}, {200})
            answer = self.daemon.request("GET", "/v1/events")
            self.refused(answer, 503, "too_many_streams")
            self.daemon.make(self.name)
            for stream in streams:
                stream.until("jail.created", self.name)
        finally:
            for stream in streams:
                stream.close()

        def one_fits():
            with Stream(self.daemon) as stream:
                return stream.status == 200

        eventually(one_fits, "the readers that left make room")

    @unittest.skipIf(Settings.kernel == "linux", "nothing of it knows a kernel")
    def test_a_reader_that_does_not_read_is_dropped(self):
        slow = self.daemon.raw(timeout=60)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /v1/events?after=0 HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(slow.recv(1), "its stream has begun, so its descriptor is counted")
        before = descriptors(self.daemon.process.pid)
        self.daemon.make(self.name, running=False)
        connection = self.daemon.connection()
        # More than all buffers between the two hold.
        for number in range(1500):
            answer = ask(connection, "PATCH", f"/v1/jails/{self.name}", {"labels": {"n": str(number)}}, check=False)
            self.assertEqual(answer.status, 202)
        connection.close()
        eventually(lambda: b"a client that takes nothing was dropped" in self.daemon.log.read_bytes(), "it is dropped", 60)
        eventually(lambda: descriptors(self.daemon.process.pid) < before, "its descriptor is closed")
        slow.close()


class Ends(ApiTest):
    """What a stream and a request under way see of the daemon's own end."""

    def test_a_stop_ends_streams_and_answers_who_waits(self):
        daemon = Daemon()
        try:
            daemon.make("kept")
            stream = Stream(daemon)
            stream.block()
            idle = daemon.connection()
            self.assertEqual(ask(idle, "GET", "/healthz").status, 200)
            begin = time.monotonic()
            self.assertEqual(daemon.stop(), 0)
            self.assertLess(time.monotonic() - begin, 10)
            self.assertIsNone(stream.event())
            stream.close()
            idle.close()
            self.assertFalse(daemon.socket.exists(), "the socket goes with the daemon")
            if Settings.kernel == "linux":
                daemon.start()
                eventually(lambda: daemon.request("GET", "/v1/jails/kept").json()["status"]["state"] == "running",
                           "the jail runs on, and its daemon knows")
        finally:
            daemon.remove()

    def test_a_stale_socket_is_replaced_and_a_living_one_is_not(self):
        daemon = Daemon()
        try:
            daemon.kill()
            self.assertTrue(daemon.socket.exists())
            daemon.start()
            other = Daemon(start=False)
            other.socket = daemon.socket
            with open(other.log, "wb") as log:
                ended = subprocess.run(other.command(), stdout=log, stderr=log, timeout=30, check=False)
            self.assertNotEqual(ended.returncode, 0)
            self.assertIn("socket", other.log_tail())
            self.assertEqual(daemon.request("GET", "/healthz").status, 200)
            other.process = None
            other.remove()
        finally:
            daemon.remove()
