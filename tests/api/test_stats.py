"""stats, processes and kill."""

import json
import os
import subprocess
import time
import unittest

from harness import TOKENS, ApiTest, Settings, bearer, eventually
from test_events import Stream

LINUX = Settings.kernel == "linux"
SLEEP = ["sleep", "1000"]


class StatsStream(Stream):
    """Of /v1/stats or of a jail's: samples."""

    path = "/v1/stats"

    def sample(self):
        while (block := self.block()) is not None:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            if "data" in fields:
                if fields["event"] != "stats":
                    raise AssertionError(block)
                return json.loads(fields["data"])
        return None


class Stats(ApiTest):
    tcp = not LINUX

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon.make("box", command=SLEEP, labels={"tier": "web"})
        cls.daemon.make("idle", running=False)

    def stats(self, jail="box"):
        answer = self.daemon.request("GET", f"/v1/jails/{jail}/stats")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def test_of_one(self):
        first = self.stats()
        self.assertEqual((first["name"], first["state"]), ("box", "running"))
        self.assertGreater(first["memory"]["bytes"], 0)
        self.assertGreaterEqual(first["processes"]["count"], 1)
        self.assertGreaterEqual(first["files"]["open"], 3)
        network = first["network"]
        self.assertEqual([one["name"] for one in network["interfaces"]], ["vnet0"])
        for key in ("rx_bytes", "rx_packets", "tx_bytes", "tx_packets"):
            self.assertEqual(network[key], sum(one[key] for one in network["interfaces"]))
        second = self.stats()
        self.assertGreater(second["monotonic_us"], first["monotonic_us"])
        self.assertGreaterEqual(second["cpu"]["usage_us"], first["cpu"]["usage_us"])
        self.assertGreaterEqual(second["uptime_seconds"], first["uptime_seconds"])

    def test_of_a_stopped_one(self):
        stopped = self.stats("idle")
        self.assertEqual(set(stopped), {"name", "state", "restarts", "at", "monotonic_us"})
        self.assertEqual(stopped["state"], "stopped")

    def test_of_all(self):
        items = self.daemon.request("GET", "/v1/stats").json()["items"]
        self.assertEqual([item["name"] for item in items], ["box", "idle"])
        self.assertIn("cpu", items[0])
        self.assertNotIn("cpu", items[1])
        for query, names in (("state=running", ["box"]), ("state=stopped", ["idle"]), ("label=tier=web", ["box"]),
                             ("label=tier=db", []), ("template=host", ["box", "idle"])):
            items = self.daemon.request("GET", f"/v1/stats?{query}").json()["items"]
            self.assertEqual([item["name"] for item in items], names, query)

    def test_uptime_begins_with_the_jail(self):
        self.assertLess(self.stats()["uptime_seconds"], 600)

    def test_what_is_no_question(self):
        for target, status, code in (
                ("/v1/stats?interval=0", 400, "invalid_parameter"), ("/v1/stats?interval=3601", 400, "invalid_parameter"),
                ("/v1/stats?interval=x", 400, "invalid_parameter"), ("/v1/stats?state=up", 400, "invalid_parameter"),
                ("/v1/stats?label=x", 400, "invalid_parameter"), ("/v1/stats?limit=1", 400, "unknown_parameter"),
                ("/v1/jails/box/stats?state=running", 400, "unknown_parameter"),
                ("/v1/jails/none/stats", 404, "jail_not_found"), ("/v1/jails/a.b/stats", 422, "invalid_name"),
                ("/v1/jails/none/stats?interval=1", 404, "jail_not_found"),
                ("/v1/jails/none/processes", 404, "jail_not_found"), ("/v1/jails/a.b/processes", 422, "invalid_name")):
            self.refused(self.daemon.request("GET", target), status, code)

    def test_a_stream(self):
        with StatsStream(self.daemon, "?interval=1") as stream:
            self.assertEqual((stream.status, stream.headers["content-type"]), (200, "text/event-stream"))
            first, second = stream.sample(), stream.sample()
            self.assertEqual([item["name"] for item in first["items"]], ["box", "idle"])
            elapsed = second["monotonic_us"] - first["monotonic_us"]
            self.assertGreater(elapsed, 700_000)
            self.assertLess(elapsed, 5_000_000)
        answer = self.daemon.request("HEAD", "/v1/stats?interval=5")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "text/event-stream"))

    def test_a_stream_goes_on_over_a_stop_and_ends_with_the_jail(self):
        self.daemon.make(self.name, command=SLEEP)
        stream = StatsStream(self.daemon, "?interval=1", path=f"/v1/jails/{self.name}/stats")
        self.assertIn("cpu", stream.sample())
        self.daemon.request("PATCH", f"/v1/jails/{self.name}", {"running": False}, {"Prefer": "wait=60"})
        sample = stream.sample()
        while sample["state"] != "stopped":
            sample = stream.sample()
        self.assertNotIn("cpu", sample)
        self.daemon.delete(self.name)
        while sample is not None:
            sample = stream.sample()
        stream.close()

    def test_silence_is_broken_by_a_comment(self):
        with StatsStream(self.daemon, "?interval=3600") as stream:
            self.assertIsNotNone(stream.sample())
            begin = time.monotonic()
            self.assertTrue(stream.block().startswith(":"))
            self.assertLess(time.monotonic() - begin, 25)

    def test_16_streams_and_not_one_more(self):
        streams = [StatsStream(self.daemon, "?interval=60") for _ in range(16)]
        try:
            self.assertEqual({stream.status for stream in streams}, {200})
            self.refused(self.daemon.request("GET", "/v1/stats?interval=60"), 503, "too_many_streams")
            self.refused(self.daemon.request("GET", "/v1/jails/box/stats?interval=60"), 503, "too_many_streams")
            self.assertEqual(self.daemon.request("GET", "/v1/stats").status, 200, "one answer takes no place")
        finally:
            for stream in streams:
                stream.close()

        def one_fits():
            with StatsStream(self.daemon, "?interval=60") as stream:
                return stream.status == 200

        eventually(one_fits, "the readers that left make room")

    @unittest.skipIf(LINUX, "needs TCP")
    def test_who_may(self):
        for target in ("/v1/stats", "/v1/jails/box/stats", "/v1/jails/box/processes"):
            self.refused(self.daemon.request("GET", target, tcp=True), 401, "token_required")
            answer = self.daemon.request("GET", target, headers=bearer(TOKENS["viewer"]), tcp=True)
            self.assertEqual(answer.status, 200)
        answer = self.daemon.request("POST", "/v1/jails/box/kill", {"signal": "CONT"}, bearer(TOKENS["viewer"]), tcp=True)
        self.refused(answer, 403, "role_too_low")
        answer = self.daemon.request("POST", "/v1/jails/box/kill", {"signal": "CONT"}, bearer(TOKENS["operator"]), tcp=True)
        self.assertEqual(answer.status, 200)


class Processes(ApiTest):
    def processes(self, jail):
        answer = self.daemon.request("GET", f"/v1/jails/{jail}/processes")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertFalse(answer.json()["truncated"])
        return answer.json()["items"]

    def kill(self, jail, body):
        return self.daemon.request("POST", f"/v1/jails/{jail}/kill", body)

    def command_pid(self, jail):
        return self.daemon.request("GET", f"/v1/jails/{jail}").json()["status"]["command_pid"]

    def test_of_a_jail(self):
        self.daemon.make(self.name, command=SLEEP)
        items = self.processes(self.name)
        self.assertEqual([one["pid"] for one in items], sorted(one["pid"] for one in items))
        own = [one for one in items if not one["held"]]
        self.assertEqual([(one["pid"], one["user"], one["uid"]) for one in own], [(self.command_pid(self.name), "root", 0)])
        if LINUX:
            self.assertEqual(own[0]["command"], "sleep 1000")
            self.assertEqual([one["jail_pid"] for one in items if one["held"]], [1])
            self.assertNotEqual(own[0]["jail_pid"], own[0]["pid"])
        self.daemon.make("off", running=False)
        self.assertEqual(self.processes("off"), [])

    def test_all_of_a_jail_get_a_signal(self):
        self.daemon.make(self.name, command=SLEEP)
        pid = self.command_pid(self.name)
        answer = self.kill(self.name, {})
        self.assertEqual((answer.status, answer.json()), (200, {"pids": [pid]}))
        status = eventually(lambda: self.ended(self.name), "it ends")
        self.assertEqual(status["last_exit"]["signal"], 15)
        self.assertEqual(status["state"], "running", "the jail itself lives on")

    def ended(self, jail):
        status = self.daemon.request("GET", f"/v1/jails/{jail}").json()["status"]
        return status if status["last_exit"] and status["command_pid"] is None else None

    def test_one_gets_a_signal(self):
        self.daemon.make(self.name, command=SLEEP)
        pid = self.command_pid(self.name)
        self.assertEqual(self.kill(self.name, {"signal": "CONT", "pids": [pid]}).json(), {"pids": [pid]})
        self.assertIsNone(self.ended(self.name))
        self.assertEqual(self.kill(self.name, {"signal": "SIGKILL", "pids": [pid]}).json(), {"pids": [pid]})
        self.assertEqual(eventually(lambda: self.ended(self.name), "it ends")["last_exit"]["signal"], 9)
        self.refused(self.kill(self.name, {"pids": [pid]}), 404, "process_not_found", "/pids/0")

    def test_nobody_elses_gets_one(self):
        for name in ("mine", "theirs"):
            self.daemon.make(name, command=SLEEP)
        mine, theirs = self.command_pid("mine"), self.command_pid("theirs")
        mark = subprocess.Popen(SLEEP)
        try:
            for foreign in (theirs, mark.pid, self.daemon.process.pid, os.getpid(), 1, 2147483647):
                self.refused(self.kill("mine", {"signal": "KILL", "pids": [mine, foreign]}), 404, "process_not_found",
                             "/pids/1")
            self.assertIsNone(self.ended("mine"), "none of them got it")
            self.assertIsNone(self.ended("theirs"))
            self.assertIsNone(mark.poll())
            self.kill("mine", {"signal": "KILL"})
            eventually(lambda: self.ended("mine"), "it ends")
            self.assertIsNone(self.ended("theirs"))
        finally:
            mark.kill()
            mark.wait()

    @unittest.skipUnless(LINUX, "of this kernel's jails no process is jaild's own")
    def test_what_jaild_holds_gets_none(self):
        self.daemon.make(self.name)
        held = [one["pid"] for one in self.processes(self.name) if one["held"]]
        self.assertEqual(len(held), 1)
        self.refused(self.kill(self.name, {"signal": "KILL", "pids": held}), 409, "process_held", "/pids/0")
        self.assertEqual(self.kill(self.name, {"signal": "KILL"}).json(), {"pids": []})
        self.assertEqual([one["pid"] for one in self.processes(self.name)], held)

    def test_what_is_no_signal(self):
        self.daemon.make(self.name, command=SLEEP)
        for body, status, code, field in (
                ({"signal": "NONE"}, 422, "invalid_value", "/signal"), ({"signal": "term"}, 422, "invalid_value", "/signal"),
                ({"signal": 15}, 422, "wrong_type", "/signal"), ({"signal": ""}, 422, "invalid_value", "/signal"),
                ({"pids": []}, 422, "invalid_value", "/pids"), ({"pids": [0]}, 422, "invalid_value", "/pids/0"),
                ({"pids": [-1]}, 422, "invalid_value", "/pids/0"), ({"pids": ["1"]}, 422, "wrong_type", "/pids/0"),
                ({"pids": [1.5]}, 422, "wrong_type", "/pids/0"), ({"pids": [2147483648]}, 422, "invalid_value", "/pids/0"),
                ({"pids": [18446744073709551615]}, 422, "invalid_value", "/pids/0"),
                ({"pids": [1] * 257}, 422, "too_many", "/pids"), ({"pid": 1}, 422, "unknown_field", "/pid"),
                ([], 422, "wrong_type", "")):
            self.refused(self.kill(self.name, body), status, code, field or None)
        self.refused(self.daemon.request("POST", "/v1/jails/none/kill", {}), 404, "jail_not_found")
        self.daemon.make("down", running=False)
        self.refused(self.kill("down", {}), 409, "jail_not_running")
        self.assertIsNone(self.ended(self.name))


@unittest.skipUnless(LINUX, "needs a kernel that counts")
class Counted(ApiTest):
    """What one jail uses is seen, and seen as its own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("busy", "quiet"):
            cls.daemon.make(name, command=SLEEP)

    def stats(self):
        items = self.daemon.request("GET", "/v1/stats").json()["items"]
        return {item["name"]: item for item in items}

    def run_in(self, jail, script):
        answer = self.daemon.request("POST", f"/v1/jails/{jail}/exec", {"argv": ["sh", "-c", script]})
        self.assertEqual((answer.status, answer.json().get("exit_code")), (200, 0), answer.body)
        return answer.json()["stdout"]

    def test_processor_time(self):
        before = self.stats()
        self.run_in("busy", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done")
        after = self.stats()
        used = {name: after[name]["cpu"]["usage_us"] - before[name]["cpu"]["usage_us"] for name in after}
        self.assertGreater(used["busy"], 20_000)
        self.assertLess(used["quiet"], used["busy"] / 4)

    def test_memory_processes_and_files(self):
        quiet = eventually(lambda: (now := self.stats()["quiet"])["processes"]["count"] == 2 and now, "pause and sleep")
        hold = ("exec 9<>/dev/null; x=$(head -c 30000000 /dev/zero | tr '\\0' x); echo > /tmp/held; "
                "(sleep 1000 & sleep 1000 & wait); : $x")
        self.daemon.make("held", command=["sh", "-c", hold])
        eventually(lambda: self.run_in("held", "ls /tmp").strip() == "held", "it holds its memory")
        eventually(lambda: self.stats()["held"]["processes"]["count"] >= 4, "pause, sh and two sleeps")
        after = self.stats()
        self.assertGreater(after["held"]["memory"]["bytes"], 30_000_000)
        self.assertGreaterEqual(after["held"]["processes"]["threads"], 4)
        self.assertGreater(self.daemon.request("GET", "/v1/jails/held/stats").json()["files"]["open"], 9)
        self.assertLess(after["quiet"]["memory"]["bytes"], quiet["memory"]["bytes"] + 5_000_000)
        self.assertEqual(after["quiet"]["processes"]["count"], 2)

    def test_packets(self):
        before = self.stats()
        gateway = self.run_in("busy", "ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p'").strip()
        self.run_in("busy", f"ping -c 5 -i 0.2 -s 1000 {gateway} > /dev/null")
        after = self.stats()
        grown = {key: after["busy"]["network"][key] - before["busy"]["network"][key]
                 for key in ("rx_bytes", "rx_packets", "tx_bytes", "tx_packets")}
        self.assertGreaterEqual(grown["tx_packets"], 5)
        self.assertGreaterEqual(grown["rx_packets"], 5)
        self.assertGreater(grown["tx_bytes"], 5000)
        self.assertLess(after["quiet"]["network"]["tx_bytes"] - before["quiet"]["network"]["tx_bytes"], 5000)

    def test_what_a_jail_receives_is_rx(self):
        address = self.daemon.request("GET", "/v1/jails/quiet").json()["status"]["addresses"][0].split("/")[0]
        before = self.stats()["quiet"]["network"]
        # To a port that nobody listens on: it answers each by a short refusal.
        send = ("import socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);"
                f"[s.sendto(bytes(1000),('{address}',9)) for _ in range(50)]")
        subprocess.run(["nsenter", f"--net=/run/netns/{Settings.namespace}", "--", "python3", "-c", send], check=True)
        after = eventually(lambda: (now := self.stats()["quiet"]["network"])["rx_bytes"] > before["rx_bytes"] + 20_000
                           and now, "what was sent to it is counted")
        self.assertGreater(after["rx_bytes"] - before["rx_bytes"], 2 * (after["tx_bytes"] - before["tx_bytes"]))

    def test_without_a_network_of_its_own(self):
        self.daemon.make("shared", command=SLEEP, network={"mode": "inherit"})
        self.assertNotIn("network", self.stats()["shared"])

    def test_uptime(self):
        self.daemon.make("young", command=SLEEP)
        self.assertLess(self.stats()["young"]["uptime_seconds"], 30)
