"""jaildctl run, and the stream of exec that it uses."""

import base64
import fcntl
import hashlib
import json
import os
import pty
import random
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from cli import command, finish, jaildctl, start
from harness import DEADLINE, ApiTest, Daemon, Settings, eventually

LINUX = Settings.kernel == "linux"
needs_programs = unittest.skipUnless(LINUX, "the model of a kernel runs no programs")


def exits_with(code):
    return ["sh", "-c", f"exit {code}"] if LINUX else ["exit", str(code)]


class RunTest(ApiTest):
    def names(self):
        return [jail["name"] for jail in self.daemon.request("GET", "/v1/jails").json()["items"]]

    def run_in(self, *arguments, stdin=None, timeout=DEADLINE):
        return jaildctl(self.daemon, "run", "--network", "none", *arguments, stdin=stdin, timeout=timeout)

    def begin(self, *arguments, stdin=subprocess.PIPE):
        return start(self.daemon, "run", "--network", "none", *arguments, stdin=stdin)

    def none_left(self):
        eventually(lambda: self.names() == [], "no jail is left")

    def processes(self, pattern):
        """Of the host; none of ours has that in its command line."""
        found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True, check=False).stdout.split()
        return [pid for pid in found if int(pid) != os.getpid()]


class Run(RunTest):
    def tearDown(self):
        self.none_left()
        super().tearDown()

    def test_exit_code_and_output(self):
        ran = self.run_in("--rm", "--", "echo", "hello", "wörld")
        self.assertEqual((ran.code, ran.out, ran.err), (0, "hello wörld\n", ""), ran)
        for code in (1, 3, 255):
            self.assertEqual(self.run_in("--rm", "--", *exits_with(code)).code, code)

    def test_what_cannot_be_run(self):
        ran = self.run_in("--rm", "--", "/nosuch")
        self.assertEqual(ran.code, 127, ran)
        self.assertIn("program_not_found", ran.err)
        for arguments in (["--template", "nosuch:1"], ["--user", "nobodyknows"], ["--limit", "nosuch=1"]):
            ran = self.run_in("--rm", *arguments, "--", "echo", "x")
            self.assertEqual(ran.code, 125, ran)
            self.assertIn("jaildctl: ", ran.err)
        self.assertEqual(self.run_in("--rm", "--timeout", "soon", "--", "echo").code, 2)
        self.assertEqual(self.run_in("--rm", "--ttl", "never", "--", "echo").code, 2)
        self.assertEqual(jaildctl(self.daemon, "run", "--rm").code, 2)
        self.assertEqual(jaildctl(self.daemon, "-o", "json", "run", "--rm", "--", "echo").code, 2)

    def test_input_to_its_end(self):
        data = random.Random(7).randbytes(3_000_000)
        process = self.begin("--rm", "-i", "--", "cat")
        out, err = process.communicate(data, DEADLINE)
        self.assertEqual((process.returncode, err), (0, b""))
        self.assertEqual(hashlib.sha256(out).hexdigest(), hashlib.sha256(data).hexdigest())
        self.assertEqual(self.run_in("--rm", "--", "cat", stdin=b"not for it").out, "", "without -i there is none")
        self.assertEqual(self.run_in("--rm", "-i", "--", "cat", stdin=b"").out, "")

    def test_the_same_name_again(self):
        for number in range(3):
            ran = self.run_in("--rm", "--name", "again", "--", "echo", str(number))
            self.assertEqual((ran.code, ran.out), (0, f"{number}\n"), ran)

    def test_a_jail_that_stays_is_stopped(self):
        ran = self.run_in("--name", "kept", "--label", "a=b", "--", *exits_with(4))
        self.assertEqual(ran.code, 4, ran)
        jail = self.daemon.request("GET", "/v1/jails/kept").json()
        self.assertEqual((jail["status"]["state"], jail["spec"]["ephemeral"], jail["labels"]), ("stopped", False, {"a": "b"}))
        self.assertEqual(self.run_in("--name", "kept", "--", "echo").code, 125)
        self.assertEqual(jaildctl(self.daemon, "rm", "kept").code, 0)

    def test_detached_it_is_the_jails_own_command(self):
        ran = self.run_in("-d", "--rm", "--name", "job", "--", "sleep", "1000")
        self.assertEqual((ran.code, ran.out), (0, "job\n"), ran)
        jail = self.daemon.request("GET", "/v1/jails/job").json()
        self.assertEqual((jail["spec"]["command"], jail["spec"]["ephemeral"]), (["sleep", "1000"], {"grace": 30}))
        self.assertEqual(jaildctl(self.daemon, "stop", "job").code, 0, "its end")

    def test_a_detached_command_that_ends_takes_its_jail_along(self):
        ran = self.run_in("-d", "--rm", "--name", "short", "--", *exits_with(5))
        self.assertEqual((ran.code, ran.out), (0, "short\n"), ran)
        self.none_left()
        events = self.daemon.request("GET", "/v1/events?follow=false&jail=short&limit=100").json()["items"]
        told = {event["type"]: event["data"] for event in events}
        self.assertEqual(told["command.ended"]["exit_code"], 5)
        self.assertEqual((told["jail.removing"]["by"], told["jail.removing"]["why"]), ("jaild", "ended"))

    @needs_programs
    def test_both_streams_while_it_runs(self):
        process = self.begin("--rm", "-i", "--", "sh", "-c", "echo one; echo two >&2; read x; echo got $x; exit 9")
        self.assertEqual(process.stdout.readline(), b"one\n")
        self.assertEqual(process.stderr.readline(), b"two\n")
        out, _ = process.communicate(b"three\n", DEADLINE)
        self.assertEqual((process.returncode, out), (9, b"got three\n"))

    @needs_programs
    def test_the_last_bytes_are_there(self):
        """Written in the moment before the end, by many."""
        for _ in range(20):
            ran = self.run_in("--rm", "--", "sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; printf end >&2; exit 3")
            self.assertEqual((ran.code, len(ran.out), ran.err), (3, 300_000, "end"))

    @needs_programs
    def test_what_the_program_leaves_behind_does_not_hold_up_the_end(self):
        begun = time.monotonic()
        ran = self.run_in("--rm", "--", "sh", "-c", "sleep 1000 & echo gone")
        self.assertEqual((ran.code, ran.out), (0, "gone\n"), ran)
        self.assertLess(time.monotonic() - begun, 20)

    @needs_programs
    def test_signals_are_the_commands(self):
        traps = "; ".join(f"trap 'echo {name}; exit {number}' {name}"
                          for number, name in ((41, "INT"), (42, "TERM"), (43, "HUP"), (44, "QUIT"), (45, "USR1")))
        for number, name in ((41, "INT"), (42, "TERM"), (43, "HUP"), (44, "QUIT"), (45, "USR1")):
            with self.subTest(name):
                process = self.begin("--rm", "--", "sh", "-c", f"{traps}; echo ready; while :; do sleep 0.1; done")
                self.assertEqual(process.stdout.readline(), b"ready\n")
                process.send_signal(getattr(signal, f"SIG{name}"))
                out, _ = process.communicate(timeout=DEADLINE)
                self.assertEqual((process.returncode, out), (number, f"{name}\n".encode()))

    @needs_programs
    def test_a_signal_that_ends_it(self):
        process = self.begin("--rm", "--", "sh", "-c", "echo ready; exec sleep 1000")
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.terminate()
        self.assertEqual(finish(process).code, 128 + signal.SIGTERM)

    @needs_programs
    def test_a_timeout(self):
        begun = time.monotonic()
        ran = self.run_in("--rm", "--timeout", "1s", "--", "sh", "-c", "echo begun; exec sleep 1000")
        self.assertEqual((ran.code, ran.out), (124, "begun\n"), ran)
        self.assertIn("ended after 1 s", ran.err)
        self.assertLess(time.monotonic() - begun, 9)

    @needs_programs
    def test_a_command_that_ignores_its_timeout_is_killed(self):
        ran = self.run_in("--rm", "--timeout", "1", "--", "sh", "-c", "trap '' TERM; while :; do sleep 1; done", timeout=60)
        self.assertEqual(ran.code, 124, ran)

    @needs_programs
    def test_a_terminal_to_type_at(self):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 99, 0, 0))
        process = subprocess.Popen(command(self.daemon, "run", "--network", "none", "--rm", "-it", "--", "sh"), stdin=slave,
                                   stdout=slave, stderr=slave, start_new_session=True)
        seen = b""

        def expect(text):
            nonlocal seen
            deadline = time.monotonic() + DEADLINE
            while text not in seen:
                self.assertTrue(select.select([master], [], [], max(0, deadline - time.monotonic()))[0], seen)
                seen += os.read(master, 4096)

        try:
            os.write(master, b"stty size; tty; echo a''bc\n")
            expect(b"31 99")
            expect(b"/dev/pts/")
            expect(b"abc")
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 70, 0, 0))
            process.send_signal(signal.SIGWINCH)
            time.sleep(0.2)
            os.write(master, b"stty size\n")
            expect(b"20 70")
            os.write(master, b"sleep 1000\n")
            time.sleep(0.3)
            os.write(master, b"\x03echo st''ill\n")
            expect(b"still")
            os.write(master, b"exit 6\n")
            self.assertEqual(process.wait(DEADLINE), 6)
            self.assertTrue(termios.tcgetattr(slave)[3] & termios.ICANON, "our terminal is as it was")
        finally:
            process.kill()
            process.wait()
            os.close(master)
            os.close(slave)

    @needs_programs
    def test_where_and_as_whom(self):
        ran = self.run_in("--rm", "--env", "A=b c", "--user", "nobody", "--workdir", "/usr", "--", "sh", "-c", "id -un; pwd; echo $A")
        self.assertEqual((ran.code, ran.out), (0, "nobody\n/usr\nb c\n"), ran)

    @needs_programs
    def test_output_that_nobody_takes_ends_it(self):
        process = self.begin("--rm", "--", "sh", "-c", "while :; do echo y; done")
        self.assertEqual(process.stdout.readline(), b"y\n")
        process.stdout.close()
        self.assertEqual(process.wait(DEADLINE), 125)
        process.stderr.close()
        process.stdin.close()

    def test_a_signal_while_the_jail_is_made_removes_it(self):
        """At each moment of it."""
        for delay in (0, 0.01, 0.03, 0.06, 0.1, 0.2):
            process = self.begin("--rm", "--", "sleep", "1000")
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)  # it may have been made already, or not have listened yet
            ran = finish(process)
            self.assertIn(ran.code, (130, -signal.SIGINT), ran)
            self.none_left()


class Killed(RunTest):
    def tearDown(self):
        for name in self.names():
            self.daemon.delete(name)
        super().tearDown()

    def test_a_client_that_is_killed_leaves_nothing(self):
        spec = self.daemon.directory / "short.json"
        spec.write_text(json.dumps({"ephemeral": {"grace": 1}}))
        process = self.begin("--rm", "-f", str(spec), "--name", "left", "--", "sleep", "7651")
        if LINUX:
            eventually(lambda: self.processes("^sleep 7651$"), "the command runs")
        else:
            eventually(lambda: self.names() == ["left"], "the jail is there")
        process.kill()
        finish(process)
        eventually(lambda: not self.processes("^sleep 7651$"), "the command is gone")
        self.none_left()

    def test_a_daemon_that_is_killed_leaves_nothing(self):
        own = Daemon()
        try:
            spec = own.directory / "short.json"
            spec.write_text(json.dumps({"ephemeral": {"grace": 2}}))
            process = start(own, "run", "--network", "none", "--rm", "-f", str(spec), "--name", "left", "--", "sleep", "7652",
                            stdin=subprocess.PIPE)
            names = lambda: [jail["name"] for jail in own.request("GET", "/v1/jails").json()["items"]]
            if LINUX:
                eventually(lambda: self.processes("^sleep 7652$"), "the command runs")
            else:
                eventually(lambda: names() == ["left"], "the jail is there")
                time.sleep(0.3)
            own.kill()
            ran = finish(process)
            self.assertEqual(ran.code, 125, ran)
            self.assertIn("connection to jaild broke", ran.err)
            own.start()
            eventually(lambda: names() == [], "the jail is gone after its grace")
            eventually(lambda: not self.processes("^sleep 7652$"), "and its command")
        finally:
            own.remove()


class Lifetimes(ApiTest):
    def tearDown(self):
        for jail in self.daemon.request("GET", "/v1/jails").json()["items"]:
            self.daemon.delete(jail["name"])
        super().tearDown()

    def there(self, name):
        return self.daemon.request("GET", f"/v1/jails/{name}").status == 200

    def patch(self, name, body):
        return self.daemon.request("PATCH", f"/v1/jails/{name}", body, {"Prefer": "wait=60"})

    def make(self, name, **spec):
        return self.daemon.make(name, network={"mode": "none"}, **spec)

    def test_what_is_refused(self):
        for field, value, code, where in (("ephemeral", "yes", "wrong_type", "/ephemeral"),
                                          ("ephemeral", {"grace": 0}, "invalid_value", "/ephemeral/grace"),
                                          ("ephemeral", {"grace": 86401}, "invalid_value", "/ephemeral/grace"),
                                          ("ephemeral", {"grace": "1m"}, "wrong_type", "/ephemeral/grace"),
                                          ("ephemeral", {"ttl": 5}, "unknown_field", "/ephemeral/ttl"),
                                          ("ttl", "1h", "wrong_type", "/ttl"), ("ttl", 0, "invalid_value", "/ttl"),
                                          ("ttl", 1.5, "wrong_type", "/ttl"), ("ttl", 31_536_001, "invalid_value", "/ttl"),
                                          ("ttl", 2**63, "invalid_value", "/ttl"), ("ttl", -1, "invalid_value", "/ttl")):
            with self.subTest(f"{field} {value}"):
                self.refused(self.daemon.request("POST", "/v1/jails", {"name": "x", field: value}), 422, code, where)
        stopped = {"name": "x", "running": False, "ephemeral": True}
        self.refused(self.daemon.request("POST", "/v1/jails", stopped), 422, "ephemeral_stopped", "/ephemeral")

    def test_how_they_read(self):
        made = self.make("box", ephemeral=True, ttl=3600)
        self.assertEqual((made["spec"]["ephemeral"], made["spec"]["ttl"]), ({"grace": 30}, 3600))
        changed = self.patch("box", {"ephemeral": {"grace": 86400}, "ttl": None}).json()["spec"]
        self.assertEqual((changed["ephemeral"], changed["ttl"]), ({"grace": 86400}, None))
        self.assertEqual(self.patch("box", {"ephemeral": None}).json()["spec"]["ephemeral"], False)
        self.assertEqual(self.patch("box", {"running": False}).json()["spec"]["ephemeral"], False)
        self.refused(self.patch("box", {"ephemeral": True}), 422, "ephemeral_stopped", "/ephemeral")

    def test_a_jail_that_nobody_uses_goes(self):
        self.make("idle", ephemeral={"grace": 1})
        self.make("other")
        eventually(lambda: not self.there("idle"), "it is gone")
        self.assertTrue(self.there("other"))
        events = self.daemon.request("GET", "/v1/events?follow=false&jail=idle&limit=100").json()["items"]
        self.assertEqual([event["data"]["why"] for event in events if event["type"] == "jail.removing"], ["unused"])

    def test_a_program_of_a_client_keeps_it(self):
        self.make("used", ephemeral={"grace": 1})
        ran = self.daemon.request("POST", "/v1/jails/used/exec", {"argv": ["sleep", "1000"], "timeout": 3})
        self.assertTrue(ran.json()["timed_out"])
        self.assertTrue(self.there("used"))
        eventually(lambda: not self.there("used"), "it is gone when nobody is in it")

    def test_a_time_to_live(self):
        self.make("short", ttl=1, command=["sleep", "1000"])
        self.make("long", ttl=3600)
        self.make("prolonged", ttl=2)
        self.patch("prolonged", {"ttl": 3000})
        eventually(lambda: not self.there("short"), "its time is over")
        time.sleep(2)
        self.assertTrue(self.there("long") and self.there("prolonged"))
        self.patch("long", {"ttl": 1})
        self.assertTrue(self.there("long"), "it counts from the change")
        eventually(lambda: not self.there("long"), "and is over then")

    @unittest.skipUnless(LINUX, "the model of a kernel is gone with its daemon")
    def test_it_goes_on_over_a_start_of_the_daemon(self):
        own = Daemon()
        try:
            there = lambda name: own.request("GET", f"/v1/jails/{name}").status == 200
            begun = time.monotonic()
            own.make("timed", network={"mode": "none"}, ttl=6)
            own.make("kept", network={"mode": "none"}, ephemeral=True, command=["sleep", "1000"])
            own.kill()
            own.start()
            self.assertTrue(there("timed") and there("kept"))
            eventually(lambda: not there("timed"), "its time is over")
            self.assertLess(time.monotonic() - begun, 12)
            self.assertTrue(there("kept"))
        finally:
            own.remove()

    @unittest.skipIf(LINUX, "each daemon of the model is a host of its own: only there it has restarted")
    def test_a_start_of_the_host_is_the_end_of_ephemeral_jails(self):
        own = Daemon()
        try:
            own.make("gone", ephemeral=True, command=["sleep", "1000"])
            own.make("stays", command=["sleep", "1000"])
            own.kill()
            own.start()
            names = lambda: [jail["name"] for jail in own.request("GET", "/v1/jails").json()["items"]]
            eventually(lambda: names() == ["stays"], "only the ephemeral one is gone")
        finally:
            own.remove()


class Stream(ApiTest):
    """GET …/exec by hand."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon.make("box", network={"mode": "none"})

    def connect(self, jail="box", fields=""):
        connection = self.daemon.raw()
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall((f"GET /v1/jails/{jail}/exec HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
                            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{fields}\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(1)
            if not piece:
                break
            head += piece
        return connection, head

    def send(self, connection, message, code=None):
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        code = code or (2 if isinstance(message, bytes) else 1)
        head = bytes([0x80 | code])
        head += bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0xfe]) + struct.pack(">H", len(data)) \
            if len(data) < 65536 else bytes([0xff]) + struct.pack(">Q", len(data))
        connection.sendall(head + b"\0\0\0\0" + data)

    def receive(self, connection):
        """(code, bytes); (None, b"") at the end."""
        def exactly(count):
            data = b""
            while len(data) < count:
                piece = connection.recv(count - len(data))
                if not piece:
                    raise EOFError
                data += piece
            return data
        try:
            first, second = exactly(2)
            length = second & 0x7f
            if length >= 126:
                length = struct.unpack(">H" if length == 126 else ">Q", exactly(2 if length == 126 else 8))[0]
            return first & 0x0f, exactly(length)
        except EOFError:
            return None, b""

    def all(self, connection):
        """Streams by number, and the texts."""
        streams, texts = {}, []
        while True:
            code, data = self.receive(connection)
            if code == 2:
                streams[data[0]] = streams.get(data[0], b"") + data[1:]
            elif code == 1:
                texts.append(json.loads(data))
            elif code == 8:
                self.send(connection, data, 8)
            elif code is None:
                return streams, texts

    def talk(self, *messages):
        connection, head = self.connect()
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "), head)
        with connection:
            for message in messages:
                self.send(connection, message)
            return self.all(connection)

    def test_a_program(self):
        self.assertEqual(self.talk({"argv": ["echo", "hi"]}), ({1: b"hi\n"}, [{"exit_code": 0, "signal": None}]))
        streams, texts = self.talk({"argv": ["cat"], "stdin": True}, b"\0hello", {"stdin": "closed"})
        self.assertEqual((streams, texts), ({1: b"hello"}, [{"input": 5}, {"exit_code": 0, "signal": None}]))

    def test_what_is_refused_before_the_handshake(self):
        self.refused(self.daemon.request("GET", "/v1/jails/box/exec"), 426, "upgrade_required")
        self.refused(self.daemon.request("GET", "/v1/jails/nosuch/exec"), 404, "jail_not_found")
        _, head = self.connect("nosuch")
        self.assertTrue(head.startswith(b"HTTP/1.1 404 "), head)

    def test_what_is_refused_afterwards(self):
        for messages, code in (([{"argv": []}], "invalid_value"), ([{}], "missing_field"), ([[]], "wrong_type"),
                               ([b"x"], "invalid_message"), ([{"argv": ["echo"], "timeout": 5}], "unknown_field"),
                               ([{"argv": ["echo"], "stdin": "text"}], "wrong_type"),
                               ([{"argv": ["/nosuch"]}], "program_not_found"),
                               ([{"argv": ["sleep", "100"]}, b"\0x"], "invalid_message"),
                               ([{"argv": ["sleep", "100"]}, {"signal": "NOSUCH"}], "invalid_value"),
                               ([{"argv": ["sleep", "100"]}, {"colour": 1}], "unknown_field"),
                               ([{"argv": ["sleep", "100"], "stdin": True}, b"\0" + b"x" * 300_000], "invalid_message"),
                               ([{"argv": ["sleep", "100"]}, {"resize": {"rows": 0}}], "invalid_value")):
            with self.subTest(str(messages)[:60]):
                _, texts = self.talk(*messages)
                self.assertEqual([text["problem"]["code"] for text in texts], [code])

    def test_a_client_that_leaves_ends_its_program(self):
        before = self.daemon.request("GET", "/v1/jails/box/processes").json()["items"] if LINUX else []
        connection, _ = self.connect()
        self.send(connection, {"argv": ["sleep", "7653"]})
        if LINUX:
            count = lambda: len(self.daemon.request("GET", "/v1/jails/box/processes").json()["items"])
            eventually(lambda: count() > len(before), "it runs")
            connection.close()
            eventually(lambda: count() == len(before), "it is gone")
        connection.close()


if __name__ == "__main__":
    unittest.main()
