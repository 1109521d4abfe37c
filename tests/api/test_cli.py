"""jaildctl against a jaild of its own."""

import fcntl
import json
import os
import select
import struct
import termios
import unittest

from cli import finish, jaildctl, start
from harness import DEADLINE, ApiTest, Daemon, Settings, eventually

LINUX = Settings.kernel == "linux"


class Lines:
    """A pipe, line by line, without waiting for longer than is asked."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.rest = b""
        self.seen = []

    def next(self, seconds):
        """The next line; None when it has not come by then."""
        while b"\n" not in self.rest:
            if not select.select([self.pipe], [], [], seconds)[0]:
                return None
            piece = os.read(self.pipe.fileno(), 65536)
            if not piece:
                return None
            self.rest += piece
        line, _, self.rest = self.rest.partition(b"\n")
        self.seen.append(line)
        return line


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

    def test_following_goes_on_with_the_next_daemon(self):
        own = Daemon()
        follower = start(own, "-o", "json", "events", "-f")
        try:
            reader = Lines(follower.stdout)
            # Until it follows, nothing is written for it; each try makes an event.
            names = iter(range(1000))
            eventually(lambda: own.make(f"early-{next(names)}", running=False) and reader.next(0.2), "the first event")
            own.stop()
            own.start()
            own.make("late", running=False)
            eventually(lambda: json.loads(reader.next(DEADLINE))["jail"] == "late", "an event of the second daemon")
            sequence = [json.loads(line)["seq"] for line in reader.seen]
            self.assertEqual(sequence, sorted(set(sequence)), "none came twice")
            own.delete("late")
            own.stop()
            ran = finish(follower)
            self.assertEqual(ran.code, 3, ran)
            self.assertIn("no jaild answers", ran.err)
        finally:
            follower.kill()
            if own.process.poll() is not None:
                own.start()
            own.remove()


class Logs(ApiTest):
    def test_following_says_that_the_daemon_went_away(self):
        own = Daemon()
        try:
            own.make("box", command=["sleep", "1000"] if not LINUX else ["sh", "-c", "echo begun; sleep 1000"])
            follower = start(own, "logs", "-f", "box")
            if LINUX:
                self.assertEqual(follower.stdout.readline(), b"begun\n")
                own.stop()
                ran = finish(follower)
                self.assertEqual(ran.code, 3, ran)
                self.assertIn("no jaild answers", ran.err)
            own.process.poll() is None or own.start()
            own.request("PATCH", "/v1/jails/box", {"running": False}, {"Prefer": "wait=60"})
            ran = jaildctl(own, "logs", "-f", "box")
            self.assertEqual((ran.code, ran.err), (0, ""), ran)
            follower.kill()
            follower.communicate()
        finally:
            own.remove()

    def test_there_is_no_json_of_text(self):
        ran = jaildctl(self.daemon, "-o", "json", "logs", "any")
        self.assertEqual((ran.code, ran.out), (2, ""), ran)


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

    def test_all_that_follows_the_name_is_the_command(self):
        self.daemon.make(self.name)
        said = "hi" if LINUX else "-n hi\n"
        for arguments in (["exec", self.name, "echo", "-n", "hi"], ["exec", self.name, "--", "echo", "-n", "hi"],
                          ["exec", "--timeout", "20", self.name, "echo", "-n", "hi"],
                          ["exec", self.name, "--timeout=20", "--user", "root", "echo", "-n", "hi"],
                          ["exec", self.name, "--env", "A=1", "--", "echo", "-n", "hi"]):
            ran = jaildctl(self.daemon, *arguments)
            self.assertEqual((ran.code, ran.out, ran.err), (0, said, ""), (arguments, ran))
        ran = jaildctl(self.daemon, "exec", self.name, "echo", "--", "--help")
        self.assertEqual((ran.code, ran.out), (0, "-- --help\n"), ran)
        # -i takes no value: what comes after it is not skipped.
        for arguments in (["exec", "-i", self.name, "cat"], ["exec", self.name, "-i", "cat"],
                          ["exec", self.name, "-i", "--", "cat"], ["exec", "-i", self.name, "--", "cat"],
                          ["exec", "--stdin", self.name, "cat"]):
            ran = jaildctl(self.daemon, *arguments, stdin=b"line\n")
            self.assertEqual((ran.code, ran.out), (0, "line\n"), (arguments, ran))
        self.assertEqual(jaildctl(self.daemon, "exec", self.name).code, 2)

    def test_a_terminal(self):
        self.daemon.make(self.name)
        for arguments in (["exec", "-t", self.name, "stty", "size"], ["exec", self.name, "-t", "stty", "size"],
                          ["exec", self.name, "--terminal", "--", "stty", "size"],
                          ["exec", self.name, "-t", "--", "stty", "size"]):
            ran = jaildctl(self.daemon, *arguments)
            self.assertEqual((ran.code, ran.out, ran.err), (0, "24 80\r\n", ""), (arguments, ran))
        ran = jaildctl(self.daemon, "exec", self.name, "-i", "-t", "cat", stdin=b"line\n")
        self.assertEqual((ran.code, ran.out), (0, "line\r\nline\r\n"), ran)
        self.assertEqual(jaildctl(self.daemon, "exec", self.name, "stty", "size").code, 1)

    def test_a_terminal_is_as_ours(self):
        self.daemon.make(self.name)
        ours, theirs = os.openpty()
        try:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 1234, 0, 0))  # wider than a jail's can be

            def ran(*arguments):
                done = finish(start(self.daemon, "exec", *arguments, stdin=theirs, environment={"TERM": "vt220"}))
                self.assertEqual(done.code, 0, done)
                return done.out
            self.assertEqual(ran("-t", self.name, "stty", "size"), "33 1000\r\n")
            self.assertIn("TERM=vt220\r\n", ran("-t", self.name, "env"))
            self.assertIn("TERM=vt52\r\n", ran("-t", "--env", "TERM=vt52", self.name, "env"))
            self.assertNotIn("vt220", ran(self.name, "env"))
        finally:
            os.close(ours)
            os.close(theirs)

    def test_input_has_a_bound(self):
        self.daemon.make(self.name)
        most = b"x" * (720 * 1024)
        ran = jaildctl(self.daemon, "exec", self.name, "-i", "cat", stdin=most)
        self.assertEqual((ran.code, ran.err, len(ran.out)), (0, "", len(most)), ran)
        ran = jaildctl(self.daemon, "exec", self.name, "-i", "cat", stdin=most + b"x")
        self.assertEqual((ran.code, ran.out), (2, ""), ran)
        self.assertIn("720 KiB", ran.err)
        self.assertIn("720 KiB", jaildctl(self.daemon, "exec", "--help").out)


class Create(ApiTest):
    def planned(self, *arguments):
        """The spec that a create with these options would write down."""
        ran = jaildctl(self.daemon, "-o", "json", "create", self.name, "--dry-run", *arguments)
        self.assertEqual((ran.code, ran.err), (0, ""), ran)
        return json.loads(ran.out)["jail"]["spec"]

    def file(self, text):
        path = self.daemon.directory / "spec.json"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def test_an_address_needs_an_interface(self):
        ran = jaildctl(self.daemon, "create", self.name, "--network", "none", "--address", "10.0.0.2/24")
        self.assertEqual((ran.code, ran.out), (2, ""), ran)
        self.assertIn("--address", ran.err)
        self.assertEqual(self.daemon.request("GET", f"/v1/jails/{self.name}").status, 404)

    def test_with_several_networks_each_address_names_its_own(self):
        for arguments in (["--network", "none", "--network", "default"],
                          ["--network", "default", "--network", "default", "--address", "10.0.0.2/24"],
                          ["--network", "default", "--network", "default", "--address", "lab=10.0.0.2/24"]):
            ran = jaildctl(self.daemon, "create", self.name, *arguments)
            self.assertEqual((ran.code, ran.out), (2, ""), (arguments, ran))
            self.assertIn("--network" if "none" in arguments else "NETWORK=IP/LEN", ran.err)
        host = self.daemon.request("GET", "/v1/networks/default").json()
        address = host["spec"]["ipv4"].replace(".0/", ".78/")
        network = self.planned("--network", "default", "--network", "default", "--address", f"default={address}")["network"]
        self.assertEqual([each["addresses"] for each in network["interfaces"]], [[address], []])

    def test_options_change_mode_and_interfaces_of_a_file_only(self):
        file = self.file(json.dumps({"network": {"nameservers": ["9.9.9.9"], "search": ["example.org"]}}))
        host = self.daemon.request("GET", "/v1/networks/default").json()
        address = host["spec"]["ipv4"].replace(".0/", ".77/")
        network = self.planned("-f", file, "--address", address)["network"]
        self.assertEqual((network["nameservers"], network["search"]), (["9.9.9.9"], ["example.org"]))
        self.assertEqual([each["addresses"] for each in network["interfaces"]], [[address]])
        network = self.planned("-f", file, "--network", "none")["network"]
        self.assertEqual((network["mode"], network["nameservers"]), ("none", ["9.9.9.9"]))

    def test_a_spec_comes_from_standard_input(self):
        ran = jaildctl(self.daemon, "-o", "json", "create", self.name, "--dry-run", "-f", "-",
                       stdin=b'{"hostname": "from-a-pipe"}')
        self.assertEqual((ran.code, ran.err), (0, ""), ran)
        self.assertEqual(json.loads(ran.out)["jail"]["spec"]["hostname"], "from-a-pipe")
        ran = jaildctl(self.daemon, "create", self.name, "--dry-run", "-f", "-", stdin=b"{} " + b" " * (1 << 20))
        self.assertEqual((ran.code, ran.out), (2, ""), ran)
        self.assertIn("standard input is longer than 1024 KiB", ran.err)

    def test_a_file_that_is_no_spec(self):
        for text, said in (('{"labels": []}', "/labels"), ('{"exec": 1}', "/exec"), ('{"exec": {"env": "A"}}', "/exec/env"),
                           ('{"network": "none"}', "/network"), ("[]", "must be an object"),
                           ('{"hostname":\n  "a",\n  oops}', "line 3, column 3"), ("", "line 1, column 1")):
            ran = jaildctl(self.daemon, "create", self.name, "-f", self.file(text), "--label", "a=b", "--env", "A=b",
                           "--network", "none")
            self.assertEqual((ran.code, ran.out), (2, ""), (text, ran))
            self.assertIn(said, ran.err)
            self.assertNotIn("json.exception", ran.err)

    def test_what_is_wrong_is_named(self):
        for arguments, said in ((["--address", "bogus"], '"bogus" is no address with prefix length'),
                                (["--address", "bogus/24"], '"bogus" is no IPv4 or IPv6 address'),
                                (["--env", "A B=c"], '"A B" is no name of a variable'),
                                (["--hostname", "-a-"], '"-a-" is no host name'),
                                (["--root", "thick"], '"thick" is none of "thin", "clone", "copy" and "path"'),
                                (["--root", "path=srv"], '"srv" is not absolute')):
            ran = jaildctl(self.daemon, "create", self.name, *arguments)
            self.assertEqual((ran.code, ran.out), (1, ""), ran)
            self.assertIn(said, ran.err)


class Usage(ApiTest):
    def test_a_mistyped_command(self):
        for words, said in ((["lss"], '"lss"; is it "ls"?'), (["creat", "web"], '"creat"; is it "create"?'),
                            (["-o", "json", "strat", "a"], '"strat"; is it "start"?'),
                            (["frobnicate"], 'no command "frobnicate"')):
            ran = jaildctl(self.daemon, *words)
            self.assertEqual((ran.code, ran.out), (2, ""), ran)
            self.assertIn(said, ran.err)
        ran = jaildctl(self.daemon)
        self.assertEqual((ran.code, ran.out), (2, ""), ran)
        self.assertIn("A subcommand is required", ran.err)
        for words in (["--help"], ["ls", "--help"], ["--version"]):
            ran = jaildctl(self.daemon, *words)
            self.assertEqual((ran.code, ran.err), (0, ""), ran)
            self.assertIn("jaildctl", ran.out)


class Output(ApiTest):
    @unittest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
    def test_a_full_disk_is_no_success(self):
        self.daemon.make(self.name, command=["echo", "hello"])
        eventually(lambda: self.daemon.request("GET", f"/v1/jails/{self.name}/logs").body, "a log")
        for arguments in (["ls"], ["-o", "json", "ls"], ["logs", self.name], ["events"], ["--help"],
                          ["exec", self.name, "echo", "x"]):
            with open("/dev/full", "wb") as full:
                ran = finish(start(self.daemon, *arguments, stdout=full))
            self.assertEqual(ran.code, 1, (arguments, ran))
            self.assertIn("No space left on device", ran.err)

    def test_a_reader_that_has_seen_enough(self):
        self.daemon.make(self.name)
        for arguments in (["ls"], ["-o", "json", "events"], ["exec", self.name, "echo", "x"]):
            read, write = os.pipe()
            os.close(read)
            with os.fdopen(write, "wb") as closed:
                ran = finish(start(self.daemon, *arguments, stdout=closed))
            self.assertEqual((ran.code, ran.err), (1, ""), (arguments, ran))

    def test_one_value_of_json(self):
        def value(*arguments, code=0):
            ran = jaildctl(self.daemon, "-o", "json", *arguments)
            self.assertEqual(ran.code, code, ran)
            return json.loads(ran.out)

        for name in ("one", "two"):
            self.assertEqual(value("create", name)["name"], name)
        self.assertEqual(value("stop", "one")["spec"]["running"], False)
        self.assertEqual([jail["name"] for jail in value("stop", "one", "two")], ["one", "two"])
        self.assertEqual([jail["status"]["state"] for jail in value("start", "one", "two")], ["running"] * 2)
        self.assertEqual([jail["name"] for jail in value("restart", "one", "nobody", "two", code=1)], ["one", "two"])
        self.assertEqual(value("rm", "-f", "one"), {"removed": "one"})
        self.assertEqual(value("rm", "-f", "two", "nobody", code=1), [{"removed": "two"}])
