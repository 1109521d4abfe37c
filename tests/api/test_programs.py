"""exec and logs."""

import base64
import json
import os
import select
import signal
import socket
import time
import unittest

from harness import TOKENS, ApiTest, Daemon, Settings, eventually, read_response

LINUX = Settings.kernel == "linux"


def exits_with(code):
    return ["sh", "-c", f"exit {code}"] if LINUX else ["exit", str(code)]


class Exec(ApiTest):
    tcp = not LINUX

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon.make("box")

    def run_in(self, body, status=200, jail="box", timeout=30):
        answer = self.daemon.request("POST", f"/v1/jails/{jail}/exec", body, timeout=timeout)
        self.assertEqual(answer.status, status, answer.body)
        return answer.json() if status == 200 else answer

    def test_output_and_exit_code(self):
        ran = self.run_in({"argv": ["echo", "hello", "wörld"]})
        self.assertEqual(ran, {"exit_code": 0, "signal": None, "timed_out": False,
                               "stdout": "hello wörld\n", "stdout_encoding": "utf-8", "stdout_truncated": False,
                               "stderr": "", "stderr_encoding": "utf-8", "stderr_truncated": False})
        for code in (1, 3, 255):
            self.assertEqual(self.run_in({"argv": exits_with(code)})["exit_code"], code)

    def test_input(self):
        self.assertEqual(self.run_in({"argv": ["cat"], "stdin": "line\n" * 1000})["stdout"], "line\n" * 1000)
        self.assertEqual(self.run_in({"argv": ["cat"]})["stdout"], "", "without input there is its end")
        self.assertEqual(self.run_in({"argv": ["cat"], "stdin": ""})["stdout"], "")
        raw = bytes(range(256)) * 300
        ran = self.run_in({"argv": ["cat"], "stdin": base64.b64encode(raw).decode(), "stdin_encoding": "base64"})
        self.assertEqual(ran["stdout_encoding"], "base64")
        self.assertEqual(base64.b64decode(ran["stdout"]), raw)

    def test_output_beyond_its_limit_is_dropped(self):
        text = "0123456789" * 30_000
        ran = self.run_in({"argv": ["cat"], "stdin": text, "output_limit": 1000})
        self.assertEqual((ran["stdout"], ran["stdout_truncated"], ran["exit_code"]), (text[:1000], True, 0))
        ran = self.run_in({"argv": ["cat"], "stdin": text, "output_limit": len(text)})
        self.assertEqual((ran["stdout"], ran["stdout_truncated"]), (text, False))
        ran = self.run_in({"argv": ["cat"], "stdin": "ää", "output_limit": 3})
        self.assertEqual((ran["stdout"], ran["stdout_encoding"], ran["stdout_truncated"]), ("ä", "utf-8", True))
        ran = self.run_in({"argv": ["echo", "x"], "output_limit": 0})
        self.assertEqual((ran["stdout"], ran["stdout_truncated"]), ("", True))

    def test_a_high_limit_for_output_costs_nothing_until_it_is_used(self):
        body = json.dumps({"argv": ["sleep", "1000"], "timeout": 600, "output_limit": 16 * 1024 * 1024})
        waiting = {}
        try:
            for _ in range(24):
                connection = self.daemon.connection()
                connection.request("POST", "/v1/jails/box/exec", body, {"Content-Type": "application/json"})
                waiting[connection.sock] = connection
            text = "0123456789" * 50_000
            self.assertEqual(self.run_in({"argv": ["cat"], "stdin": text, "output_limit": 16 * 1024 * 1024})["stdout"], text)
            self.assertEqual(select.select(list(waiting), [], [], 0)[0], [], "all of them run")
        finally:
            for connection in waiting.values():
                connection.close()

    def test_a_terminal(self):
        size = ["stty", "size"]
        ran = self.run_in({"argv": size, "terminal": {"rows": 33, "columns": 101}})
        self.assertEqual(ran, {"exit_code": 0, "signal": None, "timed_out": False,
                               "stdout": "33 101\r\n", "stdout_encoding": "utf-8", "stdout_truncated": False,
                               "stderr": "", "stderr_encoding": "utf-8", "stderr_truncated": False})
        self.assertEqual(self.run_in({"argv": size, "terminal": {}})["stdout"], "24 80\r\n")
        self.assertEqual(self.run_in({"argv": size, "terminal": {"rows": 1, "columns": 1000}})["stdout"], "1 1000\r\n")
        self.assertEqual(self.run_in({"argv": size})["exit_code"], 1, "it has none")

    def test_what_is_typed_at_a_terminal(self):
        def typed(text):
            ran = self.run_in({"argv": ["cat"], "terminal": {}, "stdin": text, "timeout": 20})
            self.assertEqual((ran["timed_out"], ran["exit_code"]), (False, 0), "its input has an end")
            return ran["stdout"]
        self.assertEqual(self.run_in({"argv": ["cat"], "terminal": {}, "timeout": 20})["stdout"], "")
        self.assertEqual(typed(""), "")
        self.assertEqual(typed("hello\n"), "hello\r\nhello\r\n", "the echo, and the copy")
        self.assertEqual(typed("hello"), "hellohello", "an unfinished line too")
        typed("line\n" * 20_000)  # more than any terminal keeps: it is read meanwhile

    @unittest.skipUnless(LINUX, "needs a kernel that runs programs")
    def test_all_that_is_typed_arrives(self):
        ran = self.run_in({"argv": ["sh", "-c", "stty -echo; echo $(wc -c) bytes"], "terminal": {}, "stdin": "line\n" * 20_000})
        self.assertTrue(ran["stdout"].endswith("100000 bytes\r\n"), ran["stdout"][-100:])
        ran = self.run_in({"argv": ["sh", "-c", "echo ready; read line"], "terminal": {}, "timeout": 20})
        self.assertEqual((ran["stdout"], ran["exit_code"], ran["timed_out"]), ("ready\r\n", 1, False))

    def test_a_terminal_and_the_limits(self):
        ran = self.run_in({"argv": ["sleep", "1000"], "terminal": {}, "timeout": 1})
        self.assertEqual((ran["timed_out"], ran["exit_code"], ran["signal"]), (True, 137, 9))
        ran = self.run_in({"argv": ["echo", "x" * 60_000], "terminal": {}, "output_limit": 1000})
        self.assertEqual((ran["stdout"], ran["stdout_truncated"], ran["exit_code"]), ("x" * 1000, True, 0))
        ran = self.run_in({"argv": ["echo", "x" * 60_000], "terminal": {}})
        self.assertEqual((ran["stdout"], ran["exit_code"]), ("x" * 60_000 + "\r\n", 0))
        self.refused(self.daemon.request("POST", "/v1/jails/box/exec", {"argv": ["missing"], "terminal": {}}), 422,
                     "program_not_found")

    def test_a_timeout_kills(self):
        begin = time.monotonic()
        ran = self.run_in({"argv": ["sleep", "1000"], "timeout": 1})
        self.assertLess(time.monotonic() - begin, 10)
        self.assertEqual((ran["timed_out"], ran["exit_code"], ran["signal"]), (True, 137, 9))

    def test_what_cannot_be_run(self):
        for body, code in (({"argv": ["missing"]}, "program_not_found"),
                           ({"argv": ["echo"], "user": "nobody-at-all"}, "user_not_found"),
                           ({"argv": ["echo"], "directory": "/missing"}, "directory_not_found")):
            answer = self.daemon.request("POST", "/v1/jails/box/exec", body)
            self.refused(answer, 422, code)
        self.refused(self.daemon.request("POST", "/v1/jails/nobody/exec", {"argv": ["echo"]}), 404, "jail_not_found")
        self.daemon.make("off", running=False)
        self.refused(self.daemon.request("POST", "/v1/jails/off/exec", {"argv": ["echo"]}), 409, "jail_not_running")

    def test_bad_requests(self):
        for body, code, field in (({}, "missing_field", "/argv"), ({"argv": []}, "invalid_value", "/argv"),
                                  ({"argv": "ls"}, "wrong_type", "/argv"), ({"argv": [1]}, "wrong_type", "/argv/0"),
                                  ({"argv": [""]}, "invalid_value", "/argv/0"), ([], "wrong_type", None),
                                  ({"argv": ["a\u0000b"]}, "invalid_value", "/argv/0"),
                                  ({"argv": ["x"] * 257}, "invalid_value", "/argv"),
                                  ({"argv": ["x" * 70000]}, "too_long", "/argv/0"),
                                  ({"argv": ["x" * 40000] * 2}, "too_long", "/argv"),
                                  ({"argv": ["x"], "tty": True}, "unknown_field", "/tty"),
                                  ({"argv": ["x"], "env": {"A B": "c"}}, "invalid_value", "/env/A B"),
                                  ({"argv": ["x"], "env": {"A/B": "c"}}, "invalid_value", "/env/A~1B"),
                                  ({"argv": ["x"], "env": {"A": 1}}, "wrong_type", "/env/A"),
                                  ({"argv": ["x"], "timeout": 0}, "invalid_value", "/timeout"),
                                  ({"argv": ["x"], "timeout": 3601}, "invalid_value", "/timeout"),
                                  ({"argv": ["x"], "timeout": 2 ** 64 - 1}, "invalid_value", "/timeout"),
                                  ({"argv": ["x"], "timeout": 1.5}, "wrong_type", "/timeout"),
                                  ({"argv": ["x"], "output_limit": 16 * 1024 * 1024 + 1}, "invalid_value", "/output_limit"),
                                  ({"argv": ["x"], "output_limit": -1}, "invalid_value", "/output_limit"),
                                  ({"argv": ["x"], "stdin": 1}, "wrong_type", "/stdin"),
                                  ({"argv": ["x"], "terminal": True}, "wrong_type", "/terminal"),
                                  ({"argv": ["x"], "terminal": None}, "wrong_type", "/terminal"),
                                  ({"argv": ["x"], "terminal": []}, "wrong_type", "/terminal"),
                                  ({"argv": ["x"], "terminal": {"cols": 80}}, "unknown_field", "/terminal/cols"),
                                  ({"argv": ["x"], "terminal": {"rows": "24"}}, "wrong_type", "/terminal/rows"),
                                  ({"argv": ["x"], "terminal": {"rows": 0}}, "invalid_value", "/terminal/rows"),
                                  ({"argv": ["x"], "terminal": {"rows": 1001}}, "invalid_value", "/terminal/rows"),
                                  ({"argv": ["x"], "terminal": {"columns": 1.5}}, "wrong_type", "/terminal/columns"),
                                  ({"argv": ["x"], "terminal": {"columns": -1}}, "invalid_value", "/terminal/columns"),
                                  ({"argv": ["x"], "terminal": {"columns": 2 ** 64 - 1}}, "invalid_value",
                                   "/terminal/columns"),
                                  ({"argv": ["x"], "stdin": "a", "stdin_encoding": "base64"}, "invalid_value", "/stdin"),
                                  ({"argv": ["x"], "stdin_encoding": "hex"}, "invalid_value", "/stdin_encoding"),
                                  ({"argv": ["x"], "directory": "tmp"}, "invalid_path", "/directory"),
                                  ({"argv": ["x"], "user": ""}, "invalid_value", "/user")):
            self.refused(self.daemon.request("POST", "/v1/jails/box/exec", body), 422, code, field)

    def half_closed(self, tcp=False, timeout=1):
        """A program for a client that sends no more; its answer, and what came after it."""
        body = json.dumps({"argv": ["sleep", "1000"], "timeout": timeout}).encode()
        token = f"Authorization: Bearer {TOKENS['operator']}\r\n".encode() if tcp else b""
        with self.daemon.raw(tcp=tcp) as connection:
            connection.sendall(b"POST /v1/jails/box/exec HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
                               token + b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
            connection.shutdown(socket.SHUT_WR)
            return read_response(connection), connection.recv(100)

    def test_a_client_that_only_listens_gets_its_answer(self):
        """nc -N, on the socket: it has nothing more to say, and waits."""
        answer, more = self.half_closed()
        self.assertEqual((answer.status, answer.json()["timed_out"], more), (200, True, b""))

    @unittest.skipIf(LINUX, "its TCP is in another network namespace")
    def test_on_tcp_that_cannot_be_told_from_leaving(self):
        answer, more = self.half_closed(tcp=True, timeout=600)
        self.refused(answer, 400, "client_closed")
        self.assertNotIn("Retry-After", answer.headers)
        self.assertEqual(more, b"")

    def test_a_client_that_leaves_ends_its_program(self):
        with self.daemon.raw() as connection:
            body = json.dumps({"argv": ["sleep", "1000"], "timeout": 600}).encode()
            connection.sendall(b"POST /v1/jails/box/exec HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                               b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
            if LINUX:
                eventually(lambda: "sleep 1000" in self.processes(), "it runs")
            else:
                time.sleep(0.2)  # nothing of this kernel shows a program; the end of the daemon's threads shows below
        if LINUX:
            eventually(lambda: "sleep 1000" not in self.processes(), "it is ended")

    def processes(self):
        return self.run_in({"argv": ["sh", "-c", "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f; echo; done"]})["stdout"]

    def test_programs_side_by_side_and_not_too_many(self):
        body = json.dumps({"argv": ["sleep", "1000"], "timeout": 600})
        waiting = {}
        try:
            for _ in range(66):
                connection = self.daemon.connection()
                connection.request("POST", "/v1/jails/box/exec", body, {"Content-Type": "application/json"})
                waiting[connection.sock] = connection
            # 64 run, so that two are answered.
            refused = []
            while len(refused) < 2:
                answered, _, _ = select.select([s for s in waiting if s not in refused], [], [], 30)
                self.assertTrue(answered, "the bound is met")
                for each in answered:
                    response = waiting[each].getresponse()
                    self.assertEqual((response.status, json.load(response)["code"]), (503, "too_many_programs"))
                    refused.append(each)
            self.assertEqual(select.select([s for s in waiting if s not in refused], [], [], 0)[0], [])
            self.assertEqual(self.daemon.request("GET", "/v1/jails/box").status, 200)
        finally:
            for connection in waiting.values():
                connection.close()
        eventually(lambda: self.daemon.request("POST", "/v1/jails/box/exec", {"argv": ["echo"]}).status == 200,
                   "those that left make room")

    @unittest.skipUnless(LINUX, "needs a kernel that runs programs")
    def test_both_streams_environment_user_and_directory(self):
        script = 'echo "$GREETING $HOME $(id -un) $PWD"; echo oops >&2; kill -TERM $$'
        ran = self.run_in({"argv": ["sh", "-c", script], "env": {"GREETING": "line 1\nline 2"}, "user": "nobody",
                           "directory": "/tmp"})
        self.assertTrue(ran["stdout"].startswith("line 1\nline 2 "), ran)
        self.assertTrue(ran["stdout"].endswith(" nobody /tmp\n"), ran)
        self.assertEqual((ran["stderr"], ran["exit_code"], ran["signal"]), ("oops\n", 143, 15))

    @unittest.skipUnless(LINUX, "needs a kernel that runs programs")
    def test_what_goes_on_in_the_background_is_not_waited_for(self):
        begin = time.monotonic()
        ran = self.run_in({"argv": ["sh", "-c", "sleep 100 & echo done"]})
        self.assertEqual(ran["stdout"], "done\n")
        self.assertLess(time.monotonic() - begin, 20)


class Logs(ApiTest):
    def log(self, query="", jail=None):
        answer = self.daemon.request("GET", f"/v1/jails/{jail or self.name}/logs{query}")
        self.assertEqual((answer.status, answer.headers["Content-Type"].split(";")[0]), (200, "text/plain"), answer.body)
        return answer.body.decode()

    def test_what_a_command_wrote(self):
        self.daemon.make(self.name, command=["echo", "hello"])
        eventually(lambda: "hello\n" in self.log(), "its line")
        self.assertEqual(self.log("?tail=0"), "")
        self.assertEqual(self.log("?tail=1"), self.log().splitlines(keepends=True)[-1])
        self.assertEqual(self.log("?tail=1000000"), self.log())

    def test_a_jail_without_a_log(self):
        self.daemon.make(self.name, running=False)
        self.assertEqual(self.log(), "")

    @unittest.skipUnless(LINUX, "the memory kernel keeps no records")
    def test_records(self):
        self.daemon.make(self.name, command=["sh", "-c", "echo out; echo err >&2"])
        eventually(lambda: "err" in self.log(), "its lines")
        records = self.log("?timestamps=true")
        self.assertRegex(records, r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z O out$")
        self.assertRegex(records, r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z E err$")

    def test_following_ends_with_the_jail(self):
        self.daemon.make(self.name, command=["echo", "hello"])
        seen = []
        connection = self.daemon.connection(timeout=60)
        connection.request("GET", f"/v1/jails/{self.name}/logs?follow=true")
        response = connection.getresponse()
        first = eventually(lambda: response.readline(), "a line")
        seen.append(first)
        self.daemon.request("PATCH", f"/v1/jails/{self.name}", {"running": False}, {"Prefer": "wait=60"})
        seen.append(response.read())
        self.assertIn(b"hello\n", b"".join(seen))
        connection.close()

    def test_following_sees_what_comes(self):
        self.daemon.make(self.name, command=["echo", "again"])
        connection = self.daemon.connection(timeout=60)
        connection.request("GET", f"/v1/jails/{self.name}/logs?follow=true&tail=0")
        response = connection.getresponse()
        restarted = self.daemon.request("POST", f"/v1/jails/{self.name}/restart", headers={"Prefer": "wait=60"})
        self.assertEqual(restarted.status, 200)
        self.assertIn(b"again", response.readline())
        connection.close()

    def test_what_is_no_query(self):
        for query in ("tail=-1", "tail=x", "follow=1", "timestamps=yes", "tail=99999999999"):
            self.refused(self.daemon.request("GET", f"/v1/jails/x/logs?{query}"), 400, "invalid_parameter")


@unittest.skipUnless(LINUX, "needs a jaild-shim to stop")
class StoppedShim(ApiTest):
    """A jail whose shim does not answer is a jail that does not answer, and nothing else."""

    def shim_of(self, name, daemon=None):
        """The jaild-shim above the jail's command, found as an operator would."""
        pid = (daemon or self.daemon).request("GET", f"/v1/jails/{name}").json()["status"]["command_pid"]
        while True:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
                program, _, rest = stat.read().partition("(")[2].rpartition(")")
            if program == "jaild-shim":
                return int(pid)
            pid = rest.split()[1]

    def test_the_others_are_served(self):
        self.daemon.make("hung", command=["sleep", "1000"])
        self.daemon.make("well")
        shim = self.shim_of("hung")
        os.kill(shim, signal.SIGSTOP)
        waiting = {}
        try:
            for _ in range(24):
                connection = self.daemon.connection(timeout=60)
                connection.request("POST", "/v1/jails/hung/exec", b'{"argv": ["true"]}', {"Content-Type": "application/json"})
                waiting[connection.sock] = connection
            for target in ("/readyz", "/v1/jails/hung", "/v1/jails/hung/logs", "/v1/events?follow=false", "/v1/host",
                           "/v1/jails/well/plan"):
                self.assertEqual(self.daemon.request("GET", target, timeout=5).status, 200, target)
            ran = self.daemon.request("POST", "/v1/jails/well/exec", {"argv": ["echo", "x"]}, timeout=5)
            self.assertEqual(ran.json()["stdout"], "x\n")
            # Whoever is not let in is told so before the calls under way give up.
            answered, _, _ = select.select(list(waiting), [], [], 25)
            response = waiting[answered[0]].getresponse()
            self.assertEqual((response.status, json.load(response)["code"]), (503, "jail_not_answering"))
        finally:
            os.kill(shim, signal.SIGCONT)
            for connection in waiting.values():
                connection.close()
        eventually(lambda: self.daemon.request("POST", "/v1/jails/hung/exec", {"argv": ["true"]}).status == 200,
                   "it answers again")

    def test_the_daemon_ends_without_it(self):
        daemon = Daemon()
        try:
            daemon.make("hung", command=["sleep", "1000"])
            shim = self.shim_of("hung", daemon)
            os.kill(shim, signal.SIGSTOP)
            try:
                with daemon.raw() as connection:
                    body = b'{"argv": ["true"]}'
                    connection.sendall(b"POST /v1/jails/hung/exec HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                                       b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
                    # Whoever is answered after it came after it: now it hangs.
                    self.assertEqual(daemon.request("GET", "/v1/host").status, 200)
                    begin = time.monotonic()
                    self.assertEqual(daemon.stop(), 0)
                    self.assertLess(time.monotonic() - begin, 15)
                self.assertFalse(daemon.socket.exists())
            finally:
                os.kill(shim, signal.SIGCONT)
            daemon.start()
            self.assertEqual(self.shim_of("hung", daemon), shim, "the jail ran on")
        finally:
            daemon.remove()
