"""Templates: made of archives, shown, used and removed."""

import hashlib
import os
import tarfile
import unittest

import archives
from archives import base, entry
from cli import jaildctl
from harness import TOKENS, ApiTest, Settings, eventually, needs_root

TEMPLATES = "/v1/templates"
WAIT = {"Prefer": "wait=60"}


@needs_root
class Templates(ApiTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.archives = cls.daemon.directory / "archives"
        cls.archives.mkdir()

    def setUp(self):
        super().setUp()
        self.name = "t-" + self.name[:40]

    def tearDown(self):
        for one in self.daemon.request("GET", TEMPLATES).json()["items"]:
            if not one["builtin"]:
                self.assertEqual(self.remove(one["reference"]).status, 204)
        self.assertEqual(self.left(), [])
        super().tearDown()

    def left(self):
        """What lies in the directory of templates."""
        there = self.daemon.state / "templates"
        return sorted(os.listdir(there)) if there.exists() else []

    def archive(self, name, entries, compression="xz"):
        return archives.write(self.archives / name, entries, compression)

    def request(self, *files, **fields):
        sets = [{"file": str(one)} if not isinstance(one, dict) else one for one in files]
        return {"name": self.name, "sets": sets, **fields}

    def post(self, *files, headers=None, **fields):
        return self.daemon.request("POST", TEMPLATES, self.request(*files, **fields), headers or WAIT)

    def make(self, *files, **fields):
        answer = self.post(*files, **fields)
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json()

    def remove(self, reference):
        return self.daemon.request("DELETE", f"{TEMPLATES}/{reference}", headers=WAIT)

    def tree(self):
        only = self.left()
        self.assertEqual(len(only), 1)
        return self.daemon.state / "templates" / only[0] / "root"

    def test_one_is_made_of_an_archive_as_it_is_in_there(self):
        path = self.archive("base.txz", base())
        answer = self.post(path, version="14.2", description="a base", private=["/opt/data"])
        self.assertEqual((answer.status, answer.headers["Location"]), (201, f"{TEMPLATES}/{self.name}:14.2"), answer.body)
        made = answer.json()
        self.assertEqual((made["state"], made["latest"], made["entries"], made["private"]),
                         ("ready", True, 12, ["/opt/data"]))
        self.assertEqual(made["sets"], [{"name": "base.txz", "bytes": path.stat().st_size,
                                         "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}])
        root = self.tree()
        self.assertEqual((root / "bin/su").stat().st_mode & 0o7777, 0o4555)
        self.assertEqual(os.stat(root / "bin/sh").st_ino, os.stat(root / "usr/bin/bash").st_ino)
        self.assertEqual(os.readlink(root / "etc/termcap"), "/usr/share/misc/termcap")
        owned = os.stat(root / "etc/owned")
        self.assertEqual((owned.st_uid, owned.st_gid, owned.st_mode & 0o777, owned.st_size), (7, 9, 0o640, 100))
        self.assertEqual(self.daemon.request("GET", f"{TEMPLATES}/{self.name}").json(), made)
        self.assertEqual(self.daemon.request("GET", f"{TEMPLATES}/{self.name}:latest").json(), made)

    def test_archives_are_unpacked_one_over_the_other(self):
        first = self.archive("base.tar", base(), "")
        second = self.archive("lib32.tgz", [entry("./usr/lib32", tarfile.DIRTYPE), entry("./usr/lib32/a", data=b"32"),
                                            entry("./etc/owned", data=b"other")], "gz")
        made = self.make(first, second)
        self.assertEqual([one["name"] for one in made["sets"]], ["base.tar", "lib32.tgz"])
        self.assertEqual((self.tree() / "usr/lib32/a").read_bytes(), b"32")
        self.assertEqual((self.tree() / "etc/owned").read_bytes(), b"other")

    def test_versions_and_the_latest(self):
        path = self.archive("v.txz", base())
        self.assertEqual([self.make(path)["version"] for _ in range(3)], ["1", "2", "3"])
        self.assertEqual(self.make(path, version="14.2-p1")["reference"], f"{self.name}:14.2-p1")
        self.refused(self.post(path, version="14.2-P1"), 409, "template_exists", "/version")
        latest = lambda: self.daemon.request("GET", f"{TEMPLATES}/{self.name}").json()["version"]
        self.assertEqual(latest(), "14.2-p1")
        self.assertEqual(self.remove(f"{self.name}:14.2-p1").status, 204)
        self.assertEqual(latest(), "3")
        self.refused(self.remove(self.name), 422, "version_required")
        self.refused(self.remove(f"{self.name}:9"), 404, "template_not_found")
        self.refused(self.remove("host"), 409, "template_builtin")

    def test_a_wrong_checksum_unpacks_nothing(self):
        path = self.archive("sum.txz", base())
        right = hashlib.sha256(path.read_bytes()).hexdigest()
        self.refused(self.post({"file": str(path), "sha256": "0" * 64}), 422, "checksum_mismatch")
        self.assertEqual(self.left(), [])
        self.assertEqual(self.make({"file": str(path), "sha256": right.upper()})["sets"][0]["sha256"], right)

    def test_what_is_no_archive_makes_no_template(self):
        path = self.archives / "junk"
        path.write_bytes(b"this is no archive" * 1000)
        self.refused(self.post(path), 422, "archive_unreadable")
        whole = self.archive("whole.txz", base([entry("./big", data=os.urandom(200_000))])).read_bytes()
        path.write_bytes(whole[:len(whole) // 2])
        self.refused(self.post(path), 422, "archive_damaged")
        path.write_bytes(b"\0" * 10240)
        self.refused(self.post(path), 422, "archive_empty")
        self.assertEqual(self.left(), [])
        self.refused(self.post(self.archives / "missing"), 422, "file_not_found", "/sets/0/file")
        self.refused(self.post(self.archives), 422, "not_a_file", "/sets/0/file")
        self.assertEqual(self.daemon.request("GET", TEMPLATES).json()["items"][1:], [])

    def test_a_hostile_entry_makes_no_template(self):
        outside = self.daemon.directory / "outside"
        outside.write_text("mine")
        for bad in ([entry("../evil", data=b"x")], [entry("./a/../../evil", data=b"x")], [entry("/tmp/evil", data=b"x")],
                    [entry("up", tarfile.SYMTYPE, linkname="../../x")],
                    [entry("link", tarfile.SYMTYPE, linkname="/etc"), entry("link/passwd", data=b"x")],
                    [entry("hard", tarfile.LNKTYPE, linkname=str(outside))],
                    [entry("hard", tarfile.LNKTYPE, linkname="../../../outside")],
                    [entry("hard", tarfile.LNKTYPE, linkname="missing")],
                    [entry("name\udcff", data=b"x")],
                    [entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3)], [entry("sda", tarfile.BLKTYPE)],
                    [entry("fifo", tarfile.FIFOTYPE)], [entry("line\nbreak", data=b"x")], [entry("./esc\x1b[2J", data=b"x")]):
            path = self.archive("bad.tar", base(bad), "")
            self.refused(self.post(path), 422, "entry_refused")
            self.assertEqual(self.left(), [])
        self.assertEqual(outside.read_text(), "mine")

    def test_what_the_request_says_wrong(self):
        path = str(self.archive("ok.txz", base()))
        for fields, code, field in (({"name": "host"}, "name_reserved", "/name"), ({"name": "a.b"}, "invalid_name", "/name"),
                                    ({"version": "latest"}, "invalid_version", "/version"),
                                    ({"version": "a b"}, "invalid_version", "/version"),
                                    ({"sets": []}, "missing_field", "/sets"), ({"sets": [{}]}, "missing_field", "/sets/0/file"),
                                    ({"sets": [{"file": "base.txz"}]}, "invalid_path", "/sets/0/file"),
                                    ({"sets": [{"file": path, "sha256": "x"}]}, "invalid_checksum", "/sets/0/sha256"),
                                    ({"sets": [{"file": path}] * 17}, "too_many", "/sets"),
                                    ({"private": ["opt"]}, "invalid_path", "/private/0"), ({"x": 1}, "unknown_field", "/x")):
            body = {"name": self.name, "sets": [{"file": path}], **fields}
            self.refused(self.daemon.request("POST", TEMPLATES, body), 422, code, field)

    def test_the_same_key_makes_one_template(self):
        path = self.archive("key.txz", base())
        headers = {**WAIT, "Idempotency-Key": self.name}
        first = self.post(path, headers=headers)
        again = self.post(path, headers=headers)
        self.assertEqual((first.status, again.status, again.headers["Idempotency-Replayed"]), (201, 201, "true"), again.body)
        self.assertEqual(first.json(), again.json())
        self.refused(self.post(path, headers=headers, version="2"), 409, "idempotency_key_reused")
        self.assertEqual(self.remove(first.json()["reference"]).status, 204)
        self.refused(self.post(path, headers=headers), 409, "idempotency_key_spent")

    def test_operations_and_events_tell_of_it(self):
        before = self.daemon.request("GET", "/v1/events?follow=false&limit=1").json()["items"][-1]["seq"]
        made = self.make(self.archive("op.txz", base()))
        answer = self.daemon.request("DELETE", f"{TEMPLATES}/{made['reference']}")
        self.assertEqual((answer.status, answer.json()["state"]), (202, "removing"))
        operation = answer.headers["Location"]
        ended = eventually(lambda: (lambda one: one if one["state"] != "running" else None)(
            self.daemon.request("GET", operation).json()), "the removal")
        self.assertEqual((ended["kind"], ended["state"], ended["template"], ended["jail"]),
                         ("template.remove", "succeeded", made["reference"], None))
        events = self.daemon.request("GET", f"/v1/events?follow=false&limit=1000&after={before}").json()["items"]
        mine = [one["type"] for one in events if one["data"].get("template") == made["reference"]]
        self.assertEqual(mine, ["template.importing", "template.ready", "operation.finished", "template.removing",
                                "template.removed", "operation.finished"])

    def test_jaildctl_does_all_of_it(self):
        path = self.archive("cli.txz", base())
        total = hashlib.sha256(path.read_bytes()).hexdigest()
        made = jaildctl(self.daemon, "template", "import", f"{self.name}:1.0", str(path), "--sha256", total)
        self.assertEqual((made.code, made.out), (0, f"imported {self.name}:1.0: 12 entries, 0K\n"), made)
        self.assertIn(f"{self.name}:1.0", jaildctl(self.daemon, "template", "ls").out)
        shown = jaildctl(self.daemon, "template", "show", self.name)
        self.assertIn(total, shown.out)
        bad = jaildctl(self.daemon, "template", "import", f"{self.name}:2.0", str(path), "--sha256", "0" * 64)
        self.assertEqual(bad.code, 1)
        self.assertIn("checksum_mismatch", bad.err)
        self.assertEqual(jaildctl(self.daemon, "template", "rm").code, 2)
        gone = jaildctl(self.daemon, "template", "rm", "--unused")
        self.assertEqual((gone.code, gone.out), (0, f"removed {self.name}:1.0\n"), gone)

    def test_jaildctl_takes_checksums_out_of_a_manifest(self):
        paths = [self.archive("base.txz", base()), self.archive("lib32.txz", [entry("./lib32", data=b"x")])]
        sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        manifest = self.archives / "MANIFEST"
        line = "{}\t{}\t12\tbase\t\"Base system (MANDATORY)\"\ton\n".format

        def run():
            return jaildctl(self.daemon, "template", "import", self.name, *map(str, paths), "--manifest", str(manifest))

        manifest.write_text(line("base.txz", sums[0]) + line("kernel.txz", "0" * 64))
        self.assertEqual((run().code, self.left()), (2, []), "lib32.txz is not named")
        manifest.write_text(line("base.txz", sums[0]) + line("lib32.txz", sums[0]))
        refused = run()
        self.assertEqual((refused.code, self.left()), (1, []), refused)
        self.assertIn("checksum_mismatch", refused.err)
        manifest.write_text(line("base.txz", sums[0]) + line("lib32.txz", sums[1]))
        self.assertEqual(run().code, 0)
        self.assertEqual([one["sha256"] for one in self.daemon.request("GET", f"{TEMPLATES}/{self.name}").json()["sets"]], sums)


@unittest.skipIf(Settings.kernel == "linux", "tokens are for TCP, and the daemon has a network of its own")
class Roles(ApiTest):
    tcp = True

    def test_only_an_admin_reads_files_of_the_host(self):
        body = {"name": "x", "sets": [{"file": "/etc/passwd"}]}
        for role in ("viewer", "operator"):
            headers = {"Authorization": f"Bearer {TOKENS[role]}"}
            self.refused(self.daemon.request("POST", TEMPLATES, body, headers, tcp=True), 403, "role_too_low")
            self.assertEqual(self.daemon.request("GET", TEMPLATES, headers=headers, tcp=True).status, 200)

