"""Jails as archives: exported, and imported under another name."""

import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import tarfile
import threading
import time
import unittest

import archives
from archives import base, programs
from cli import finish, jaildctl, start
from harness import ApiTest, Daemon, children_named, eventually, needs_root

WAIT = {"Prefer": "wait=60"}
IMPORT = "/v1/import/jail"


def facts(tree):
    """What an archive has to keep, by path."""
    found = {}
    for where, directories, files in os.walk(tree):
        for name in directories + files:
            path = os.path.join(where, name)
            seen = os.lstat(path)
            kept = [oct(seen.st_mode), seen.st_uid, seen.st_gid, seen.st_mtime_ns]
            if os.path.islink(path):
                kept.append(os.readlink(path))
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    kept += [seen.st_nlink, seen.st_size, hashlib.sha256(file.read()).hexdigest()]
            found[os.path.relpath(path, tree)] = kept
    return found


class Transfers(ApiTest):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        path = cls.daemon.directory / "base.txz"
        archives.write(path, base(programs("sleep", "cat") if os.geteuid() == 0 else ()))
        made = cls.daemon.request("POST", "/v1/templates", {"name": "moved", "version": "1",
                                                            "sets": [{"file": str(path)}]}, WAIT)
        assert made.status == 201, made.body

    def make(self, name, kind="copy", **spec):
        self.daemon.make(name, template="moved", root={"kind": kind}, **spec)
        return self.root(name)

    def root(self, name):
        identity = self.daemon.request("GET", f"/v1/jails/{name}").headers["etag"].strip('"').split(".")[0]
        return self.daemon.state / "jails" / identity / "root"

    def stop(self, name):
        answer = self.daemon.request("PATCH", f"/v1/jails/{name}", {"running": False}, WAIT)
        self.assertEqual(answer.status, 200, answer.body)

    def export(self, name, query=""):
        answer = self.daemon.request("GET", f"/v1/jails/{name}/export{query}")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.body

    def import_(self, archive, query, headers=WAIT, **options):
        return self.daemon.request("POST", f"{IMPORT}?{query}", archive, {"Content-Type": "application/octet-stream", **headers},
                                   **options)

    def jails(self):
        return [one["name"] for one in self.daemon.request("GET", "/v1/jails").json()["items"]]

    def spec(self, name):
        return self.daemon.request("GET", f"/v1/jails/{name}").json()["spec"]

    def nothing_left(self, *names):
        eventually(lambda: not set(names) & set(self.jails()), f"{names} gone")
        there = self.daemon.state / "imports"
        eventually(lambda: not there.exists() or not os.listdir(there), "no import on disk")
        ids = {self.root(name).parent.name for name in self.jails()}
        if self.on_linux():
            eventually(lambda: set(os.listdir(self.daemon.state / "jails")) <= ids, "no directory without a jail")

    def tearDown(self):
        for name in self.jails():
            self.assertIn(self.daemon.delete(name).status, (204, 404))
        self.nothing_left()
        self.assertEqual([one for one in self.daemon.request("GET", "/v1/snapshots").json()["items"]], [])
        self.assertEqual(children_named(self.daemon.process.pid, "jaild-archive"), [])
        super().tearDown()


@needs_root
class Moving(Transfers):
    def test_a_stopped_jail_comes_out_as_it_went_in(self):
        root = self.make("t-web", labels={"tier": "front"}, command=["/usr/bin/sleep", "1000"],
                         exec={"env": {"KEY": {"value": "hidden", "secret": True}}})
        self.stop("t-web")
        if self.on_linux():
            (root / "srv").mkdir(exist_ok=True)
            (root / "srv/file").write_text("mine")
            os.chown(root / "srv/file", 1001, 1002)
            os.link(root / "srv/file", root / "srv/again")
            with open(root / "srv/holes", "wb") as file:
                file.truncate(1 << 26)
            os.symlink("/etc/hosts", root / "srv/link")
            os.utime(root / "srv/file", (1_000_000_000, 1_000_000_000))
        archive = self.export("t-web")
        answer = self.import_(archive, "name=t-two&start=false")
        self.assertEqual(answer.status, 201, answer.body)
        self.assertEqual(answer.json()["status"]["state"], "stopped")
        self.assertEqual(self.spec("t-two"), self.spec("t-web"))
        if self.on_linux():
            self.assertEqual(facts(self.root("t-two")), facts(root))
            copied = self.root("t-two") / "srv"
            self.assertEqual((copied / "file").stat().st_ino, (copied / "again").stat().st_ino)
            self.assertLess((copied / "holes").stat().st_blocks, 1000)

    def test_an_imported_jail_runs_as_its_spec_says(self):
        self.make("t-run", command=["/usr/bin/sleep", "1000"])
        archive = self.export("t-run")
        answer = self.import_(archive, "name=t-ran")
        self.assertEqual(answer.status, 201, answer.body)
        made = answer.json()
        self.assertEqual(made["status"]["state"], "running")
        self.assertNotEqual(made["status"]["addresses"],
                            self.daemon.request("GET", "/v1/jails/t-run").json()["status"]["addresses"])
        if self.on_linux():
            ran = self.daemon.request("POST", "/v1/jails/t-ran/exec", {"argv": ["/usr/bin/cat", "/etc/hosts"]})
            self.assertIn("t-ran", ran.json()["stdout"])

    def test_of_a_running_jail_a_snapshot_is_exported_that_goes_again(self):
        root = self.make("t-live", command=["/usr/bin/sleep", "1000"])
        if self.on_linux():
            (root / "root-file").write_text("live")
        archive = self.export("t-live")
        eventually(lambda: self.daemon.request("GET", "/v1/snapshots").json()["items"] == [], "no snapshot left")
        self.assertEqual(self.import_(archive, "name=t-still&start=false").status, 201)
        if self.on_linux():
            self.assertEqual((self.root("t-still") / "root-file").read_text(), "live")
            self.assertEqual(os.listdir(root.parent / "snapshots"), [])

    def test_a_snapshot_is_exported_by_its_name(self):
        root = self.make("t-snap", running=True)
        if self.on_linux():
            (root / "word").write_text("before")
        taken = self.daemon.request("POST", "/v1/jails/t-snap/snapshots", {"name": "one"}, WAIT)
        self.assertEqual(taken.status, 201, taken.body)
        if self.on_linux():
            (root / "word").write_text("after")
        archive = self.export("t-snap", "?snapshot=one")
        self.assertEqual(self.import_(archive, "name=t-past&start=false").status, 201)
        if self.on_linux():
            self.assertEqual((self.root("t-past") / "word").read_text(), "before")
        self.refused(self.daemon.request("GET", "/v1/jails/t-snap/export?snapshot=none"), 404, "snapshot_not_found")
        self.refused(self.daemon.request("GET", "/v1/jails/t-snap/export?snapshot=-"), 422, "invalid_name")

    def test_a_thin_jail_takes_its_private_part_along(self):
        root = self.make("t-thin", "thin", command=["/usr/bin/sleep", "1000"])
        if self.on_linux():
            (root / "etc/mine").write_text("private")
        archive = self.export("t-thin")
        answer = self.import_(archive, "name=t-thin2")
        self.assertEqual((answer.status, answer.json()["status"]["state"]), (201, "running"), answer.body)
        if self.on_linux():
            self.assertEqual((self.root("t-thin2") / "etc/mine").read_text(), "private")

    def test_a_host_jail_and_a_path_root_stay_where_they_are(self):
        self.daemon.make("t-host")
        self.refused(self.daemon.request("GET", "/v1/jails/t-host/export"), 422, "host_template_jail")
        directory = self.daemon.directory / "own-root"
        for name in ("proc", "dev", "sys"):
            (directory / name).mkdir(parents=True)
        self.daemon.make("t-path", root={"kind": "path", "path": str(directory)}, running=False)
        self.refused(self.daemon.request("GET", "/v1/jails/t-path/export"), 422, "path_root")
        self.make("t-never", running=False)
        self.refused(self.daemon.request("GET", "/v1/jails/t-never/export"), 409, "root_not_made")
        self.assertEqual(self.daemon.request("GET", "/v1/jails/nobody/export").status, 404)

    def test_head_exports_nothing(self):
        self.make("t-head", running=True)
        answer = self.daemon.request("HEAD", "/v1/jails/t-head/export")
        self.assertEqual((answer.status, answer.body), (200, b""))
        eventually(lambda: self.daemon.request("GET", "/v1/snapshots").json()["items"] == [], "no snapshot left")


@needs_root
class Refusals(Transfers):
    def archive(self):
        self.make("t-source", running=True)
        self.stop("t-source")
        return self.export("t-source")

    def test_an_archive_that_is_cut_off_leaves_nothing(self):
        archive = self.archive()
        for length in (0, 1, len(archive) // 3, len(archive) - 1):
            answer = self.import_(archive[:length], "name=t-cut")
            self.assertEqual(answer.status, 422, answer.body)
            self.assertIn(answer.code, ("archive_incomplete", "no_export", "archive_damaged", "archive_unreadable"))
            self.nothing_left("t-cut")

    def test_a_flipped_byte_leaves_nothing(self):
        archive = self.archive()
        for at in (len(archive) // 4, len(archive) // 2, len(archive) * 3 // 4):
            flipped = bytearray(archive)
            flipped[at] ^= 0xFF
            answer = self.import_(bytes(flipped), "name=t-flip")
            self.assertEqual(answer.status, 422, answer.body)
            self.nothing_left("t-flip")

    def test_a_name_that_is_taken(self):
        archive = self.archive()
        self.refused(self.import_(archive, ""), 409, "name_in_use", "/name")
        self.refused(self.import_(archive, "name=a.b"), 422, "invalid_name")
        self.refused(self.import_(archive, "start=maybe"), 400, "invalid_parameter")
        self.assertEqual(self.jails(), ["t-source"])

    def test_a_template_that_is_not_there(self):
        archive = self.archive()
        self.assertEqual(self.daemon.delete("t-source").status, 204)
        other = Daemon()
        try:
            answer = other.request("POST", IMPORT, archive, {"Content-Type": "application/octet-stream", **WAIT})
            problem = self.refused(answer, 422, "template_unknown", "/spec/template")
            self.assertIn("jaildctl template import moved:1", problem["remedy"])
            path = other.directory / "base.txz"
            archives.write(path, base([archives.entry("etc/other", data=b"another")]))
            made = other.request("POST", "/v1/templates", {"name": "moved", "version": "1",
                                                           "sets": [{"file": str(path)}]}, WAIT)
            self.assertEqual(made.status, 201, made.body)
            answer = other.request("POST", IMPORT, archive, {"Content-Type": "application/octet-stream", **WAIT})
            self.refused(answer, 409, "template_differs", "/spec/template")
            self.assertEqual(other.request("GET", "/v1/jails").json()["items"], [])
        finally:
            other.remove()

    def by_hand(self, metadata):
        """An archive that begins so, and has nothing else."""
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
            text = json.dumps(metadata).encode() if not isinstance(metadata, bytes) else metadata
            member = tarfile.TarInfo("jaild-export.json")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
        return made.getvalue()

    def test_what_its_spec_says_is_judged_as_any_spec(self):
        system = self.daemon.request("GET", "/v1/host").json()["os"]
        def refused(metadata, status, code, field=None):
            answer = self.import_(self.by_hand(metadata), "")
            self.refused(answer, status, code, field)
            self.assertEqual(self.jails(), [])
        good = {"format": 1, "name": "t-hand", "system": system, "spec": {"template": "moved:1"}}
        refused(b"[]", 422, "no_export")
        refused({}, 422, "no_export")
        refused({**good, "format": 2}, 422, "export_format")
        refused({**good, "color": "red"}, 422, "unknown_field", "/color")
        refused({**good, "name": "a b"}, 422, "invalid_name", "/name")
        refused({**good, "name": 1}, 422, "wrong_type", "/name")
        refused({**good, "spec": {"colour": 1}}, 422, "unknown_field", "/spec/colour")
        refused({**good, "spec": {"template": "moved:1", "labels": {"a": 1}}}, 422, "wrong_type", "/spec/labels/a")
        refused({**good, "spec": {"template": "host"}}, 422, "host_template_jail", "/spec/template")
        refused({**good, "spec": {"root": {"kind": "path", "path": "/etc"}}}, 422, "path_root", "/spec/root/kind")
        refused({**good, "system": "Plan 9"}, 422, "another_system", "/system")
        network = {"mode": "vnet", "interfaces": [{"network": "nowhere"}]}
        refused({**good, "spec": {"template": "moved:1", "network": network}}, 422, "network_not_found",
                "/spec/network/interfaces/0/network")
        # All of it is good, and then nothing comes.
        self.assertEqual(self.import_(self.by_hand(good), "").code, "archive_incomplete")
        self.nothing_left("t-hand")

    def test_other_bodies(self):
        answer = self.import_(b"not an archive", "")
        self.assertEqual((answer.status, answer.code), (422, "archive_unreadable"), answer.body)
        self.assertIn("jaildctl export", answer.body.decode() if isinstance(answer.body, bytes) else answer.body)
        self.refused(self.import_(open(self.daemon.directory / "base.txz", "rb").read(), ""), 422, "no_export")
        self.assertEqual(self.jails(), [])


class Sender:
    """A client that sends a body in chunks."""

    def __init__(self, daemon, query):
        self.socket = daemon.raw()
        head = (f"POST {IMPORT}?{query} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
                "Content-Type: application/octet-stream\r\n\r\n")
        self.socket.sendall(head.encode())

    def send(self, data):
        self.socket.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def close(self):
        self.socket.close()


@needs_root
class Interruptions(Transfers):
    def setUp(self):
        super().setUp()
        if not self.on_linux():
            self.skipTest("the model's trees are too small to be interrupted")

    def archive(self):
        root = self.make("t-big", running=True)
        self.stop("t-big")
        for number in range(64):
            (root / f"random{number}").write_bytes(os.urandom(1 << 18))
        return self.export("t-big")

    def begun(self, archive, name):
        sender = Sender(self.daemon, f"name={name}&start=true")
        sender.send(archive[: len(archive) * 2 // 3])
        eventually(lambda: name in self.jails(), "the import has begun")
        return sender

    def test_an_import_is_shown(self):
        archive = self.archive()
        sender = self.begun(archive, "t-shown")
        shown = self.daemon.request("GET", "/v1/jails/t-shown").json()
        self.assertEqual(shown["status"]["state"], "importing")
        self.assertEqual([one["name"] for one in self.daemon.request("GET", "/v1/jails?state=importing").json()["items"]],
                         ["t-shown"])
        self.refused(self.daemon.request("POST", "/v1/jails/t-shown/snapshots", {}), 409, "root_changing")
        sender.send(archive[len(archive) * 2 // 3:])
        sender.socket.sendall(b"0\r\n\r\n")
        eventually(lambda: self.daemon.request("GET", "/v1/jails/t-shown").json()["status"]["state"] == "running",
                   "it runs")
        sender.close()

    def test_a_client_that_leaves_in_the_middle_leaves_nothing(self):
        sender = self.begun(self.archive(), "t-left")
        sender.close()
        self.nothing_left("t-left")

    def test_a_jail_that_is_removed_while_it_is_imported(self):
        sender = self.begun(self.archive(), "t-gone")
        answer = self.daemon.request("DELETE", "/v1/jails/t-gone", headers=WAIT)
        self.assertEqual(answer.status, 204, answer.body)
        self.nothing_left("t-gone")
        sender.close()

    def test_an_operation_that_is_cancelled(self):
        sender = self.begun(self.archive(), "t-cancel")
        events = self.daemon.request("GET", "/v1/events?follow=false&jail=t-cancel").json()["items"]
        operation = next(one["operation"] for one in events if one["type"] == "jail.importing")
        answer = self.daemon.request("DELETE", f"/v1/operations/{operation}")
        self.assertEqual((answer.status, answer.json()["state"]), (200, "cancelled"), answer.body)
        self.nothing_left("t-cancel")
        sender.close()

    def test_a_daemon_that_is_killed_in_the_middle(self):
        sender = self.begun(self.archive(), "t-killed")
        self.daemon.process.kill()
        self.daemon.process.wait()
        sender.close()
        self.daemon.start()
        self.pid = self.daemon.process.pid
        self.nothing_left("t-killed")

    def test_a_daemon_that_is_killed_while_it_exports_leaves_no_snapshot(self):
        root = self.make("t-live", command=["/usr/bin/sleep", "1000"])
        (root / "random").write_bytes(os.urandom(1 << 24))
        # Nobody reads what it writes: the export has not ended.
        exporting = start(self.daemon, "export", "t-live")
        eventually(lambda: any(one["state"] == "ready" and one["reason"] == "export"
                               for one in self.daemon.request("GET", "/v1/snapshots").json()["items"]), "its snapshot")
        reference = self.daemon.request("GET", "/v1/snapshots").json()["items"][0]["name"]
        self.refused(self.daemon.request("POST", f"/v1/jails/t-live/snapshots/{reference}/restore"), 409,
                     "snapshot_not_ready")
        self.daemon.process.kill()
        self.daemon.process.wait()
        ended = finish(exporting)
        self.assertEqual(ended.code, 1)
        self.assertIn("archive incomplete", ended.err)
        self.daemon.start()
        self.pid = self.daemon.process.pid
        eventually(lambda: self.daemon.request("GET", "/v1/snapshots").json()["items"] == [], "no snapshot")
        self.assertEqual(os.listdir(root.parent / "snapshots"), [])
        self.assertEqual(self.daemon.request("GET", "/v1/jails/t-live").json()["status"]["state"], "running")

    def test_a_reader_that_leaves_ends_the_export(self):
        self.archive()
        connection = self.daemon.raw()
        connection.sendall(b"GET /v1/jails/t-big/export HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.recv(1000)
        connection.close()
        eventually(lambda: children_named(self.daemon.process.pid, "jaild-archive") == [], "no packer")

    def test_a_jail_that_is_started_meanwhile_is_not_exported(self):
        self.archive()
        connection = self.daemon.raw()
        connection.sendall(b"GET /v1/jails/t-big/export HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = connection.recv(1000)
        self.assertIn(b"200 OK", head)
        answer = self.daemon.request("PATCH", "/v1/jails/t-big", {"running": True}, WAIT)
        self.assertEqual(answer.status, 200, answer.body)
        data = head
        try:
            while more := connection.recv(1 << 20):
                data += more
        except ConnectionResetError:
            pass
        connection.close()
        self.assertFalse(data.endswith(b"0\r\n\r\n"))
        eventually(lambda: "the export of jail t-big ends unfinished" in self.daemon.log_tail(), "the log says why")

    def test_more_than_so_many_at_a_time(self):
        archive = self.archive()
        senders = [Sender(self.daemon, f"name=t-many{number}") for number in range(4)]
        for sender in senders:
            sender.send(archive[:1000])
        def full():
            answer = self.import_(archive[:10], "name=t-more")
            return answer.status == 503 and answer.code == "too_many_imports"
        eventually(full, "no more imports")
        for sender in senders:
            sender.close()
        readers = []
        for _ in range(4):
            connection = self.daemon.raw()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(b"GET /v1/jails/t-big/export HTTP/1.1\r\nHost: localhost\r\n\r\n")
            connection.recv(100)
            readers.append(connection)
        self.refused(self.daemon.request("GET", "/v1/jails/t-big/export"), 503, "too_many_exports")
        for reader in readers:
            reader.close()
        eventually(lambda: self.daemon.request("GET", "/v1/jails/t-big/export").status == 200, "there is room again")


@needs_root
class ByCommand(Transfers):
    def test_export_and_import_by_a_pipe(self):
        self.make("t-cli", command=["/usr/bin/sleep", "1000"])
        out = start(self.daemon, "export", "t-cli", stdout=subprocess.PIPE)
        into = finish(start(self.daemon, "import", "-", "--name", "t-cli2", stdin=out.stdout))
        out.stdout.close()
        self.assertEqual(out.wait(), 0)
        self.assertEqual((into.code, into.out), (0, "imported t-cli2\n"), into)
        self.assertEqual(self.spec("t-cli2"), self.spec("t-cli"))

    def test_a_file_is_there_when_it_is_whole(self):
        self.make("t-file", running=True)
        path = self.daemon.directory / "web.jaild"
        done = jaildctl(self.daemon, "export", "t-file", "-f", str(path))
        self.assertEqual((done.code, done.out), (0, ""), done)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        refused = jaildctl(self.daemon, "export", "nobody", "-f", str(self.daemon.directory / "none.jaild"))
        self.assertEqual(refused.code, 1)
        self.assertEqual([one.name for one in self.daemon.directory.iterdir() if ".jaild" in one.name], ["web.jaild"])
        done = jaildctl(self.daemon, "import", str(path), "--name", "t-file2", "--no-start")
        self.assertEqual((done.code, done.out), (0, "imported t-file2\n"), done)
        self.assertEqual(self.daemon.request("GET", "/v1/jails/t-file2").json()["status"]["state"], "stopped")
        short = self.daemon.directory / "short.jaild"
        short.write_bytes(path.read_bytes()[:-1])
        refused = jaildctl(self.daemon, "import", str(short), "--name", "t-short")
        self.assertEqual(refused.code, 1, refused)
        self.assertIn("archive_", refused.err)
        self.nothing_left("t-short")
