"""Templates made of a jail, and of a directory of the host."""

import os
import signal
import subprocess
import tarfile
import unittest

import archives
from archives import base, entry
from cli import jaildctl
from harness import TOKENS, ApiTest, Daemon, Settings, children_named, eventually, needs_root

TEMPLATES = "/v1/templates"
WAIT = {"Prefer": "wait=60"}


class Copies(ApiTest):
    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(config=cls.settings)
        cls.source = cls.daemon.directory / "tree"

    def setUp(self):
        super().setUp()
        subprocess.run(["rm", "-rf", str(self.source)], check=True)
        (self.source / "bin").mkdir(parents=True)
        (self.source / "bin/sh").write_text("sh")
        (self.source / "bin/sh").chmod(0o4555)
        os.link(self.source / "bin/sh", self.source / "bin/ash")
        (self.source / "etc").mkdir()
        (self.source / "etc/hosts").write_text("192.0.2.1 mine\n")
        os.chown(self.source / "etc/hosts", 7, 9)

    def tearDown(self):
        for jail in self.daemon.request("GET", "/v1/jails").json()["items"]:
            self.assertIn(self.daemon.delete(jail["name"]).status, (204, 404))
        for one in reversed(self.daemon.request("GET", TEMPLATES).json()["items"]):
            if not one["builtin"]:
                gone = self.daemon.request("DELETE", f"{TEMPLATES}/{one['reference']}", headers=WAIT)
                self.assertIn(gone.status, (204, 404), gone.body)  # a cancelled one goes by itself
        self.assertEqual(self.left(), [])
        super().tearDown()

    def left(self):
        there = self.daemon.state / "templates"
        return sorted(os.listdir(there), key=lambda name: int(name.split(".")[0])) if there.exists() else []

    def tree(self):
        """Of the template that was made last."""
        return self.daemon.state / "templates" / self.left()[-1] / "root"

    def post(self, headers=None, **body):
        return self.daemon.request("POST", TEMPLATES, {"name": "made", **body}, headers or WAIT)


@needs_root
class FromDirectories(Copies):
    settings = ('template_max_bytes = "1M"', "template_max_entries = 20")

    def test_the_template_is_what_the_directory_is(self):
        answer = self.post(directory=str(self.source), version="1.0", private=["/opt"])
        self.assertEqual(answer.status, 201, answer.body)
        made = answer.json()
        self.assertEqual((made["source"], made["sets"], made["private"], made["entries"], made["bytes"], made["state"]),
                         (str(self.source), [], ["/opt"], 6, 17, "ready"))
        root = self.tree()
        self.assertEqual((root / "bin/sh").stat().st_mode & 0o7777, 0o4555)
        self.assertEqual((root / "bin/sh").stat().st_ino, (root / "bin/ash").stat().st_ino)
        hosts = root / "etc/hosts"
        self.assertEqual((hosts.read_text(), hosts.stat().st_uid, hosts.stat().st_gid), ("192.0.2.1 mine\n", 7, 9))
        (self.source / "bin/sh").write_text("changed")
        self.assertEqual((root / "bin/sh").read_text(), "sh")

    def test_a_directory_that_is_refused(self):
        link = self.daemon.directory / "link"
        link.symlink_to(self.daemon.state)
        for path, code in (("/", "path_refused"), (self.daemon.state, "path_refused"), (link, "path_refused"),
                           (self.daemon.directory, "path_refused"), (self.daemon.state / "templates", "path_refused"),
                           (self.source / "none", "file_not_found"), (self.source / "bin/sh", "not_a_directory"),
                           ("relative", "invalid_path")):
            if path == self.daemon.state / "templates":
                path.mkdir(exist_ok=True)
            with self.subTest(str(path)):
                code = "invalid_path" if path == "/" else code
                self.refused(self.post(directory=str(path)), 422, code, "/directory")
        link.unlink()
        self.assertEqual(self.left(), [])

    def test_what_is_asked_for_twice_or_not_at_all(self):
        self.refused(self.post(), 422, "missing_field", "/sets")
        self.refused(self.post(directory="/a", jail="web"), 422, "invalid_value", "/directory")
        self.refused(self.post(sets=[{"file": "/a"}], jail="web"), 422, "invalid_value", "/jail")
        self.refused(self.post(jail="a.b"), 422, "invalid_name", "/jail")

    def test_a_mount_beneath_it_is_neither_crossed_nor_left_out(self):
        (self.source / "mnt").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(self.source / "mnt")], check=True)
        try:
            refused = self.refused(self.post(directory=str(self.source)), 409, "mount_beneath")
            self.assertIn("mnt", refused["detail"])
        finally:
            subprocess.run(["umount", str(self.source / "mnt")], check=True)

    def test_sockets_and_devices_are_said_to_be_left_out(self):
        os.mknod(self.source / "null", 0o600 | 0o020000, os.makedev(1, 3))
        answer = self.daemon.request("POST", TEMPLATES, {"name": "made", "directory": str(self.source)})
        ended = eventually(lambda: (lambda one: one if one["state"] != "running" else None)(
            self.daemon.request("GET", answer.headers["Location"]).json()), "the end")
        self.assertEqual(ended["state"], "succeeded", ended)
        self.assertIn("not kept: 1 sockets and devices: null", ended["steps"])

    def test_more_than_may_be(self):
        (self.source / "big").write_bytes(bytes(1 << 20))
        self.refused(self.post(directory=str(self.source)), 422, "template_too_large")
        (self.source / "big").unlink()
        for number in range(20):
            (self.source / str(number)).touch()
        self.refused(self.post(directory=str(self.source)), 422, "too_many_entries")
        self.assertEqual(self.left(), [])

    def test_jaildctl_makes_one_of_a_directory(self):
        made = jaildctl(self.daemon, "template", "create", "cli:1", "--from", f"{self.source}/")
        self.assertEqual((made.code, made.out), (0, "created cli:1: 6 entries, 0K\n"), made)
        shown = jaildctl(self.daemon, "template", "rm", "--unused", "--dry-run")
        self.assertEqual((shown.code, shown.out), (0, "would remove cli:1\n"), shown)
        shown = jaildctl(self.daemon, "-o", "json", "template", "rm", "--unused", "--dry-run")
        self.assertEqual((shown.code, shown.out), (0, '{\n  "unused": [\n    "cli:1"\n  ]\n}\n'), shown)
        self.assertEqual(jaildctl(self.daemon, "template", "rm", "cli:1", "--dry-run").code, 2)
        self.assertEqual(len(self.left()), 1)
        self.assertEqual(jaildctl(self.daemon, "template", "create", "cli", "--from", "nosuch").code, 1)


@needs_root
@unittest.skipUnless(Settings.kernel == "linux", "the memory kernel's jails have no files")
class FromJails(Copies):
    def setUp(self):
        super().setUp()
        extra = [entry("./usr/local", tarfile.DIRTYPE), entry("./opt/data/a", data=b"a"),
                 entry("./etc/machine-id", data=b"0123\n"), entry("./etc/issue", data=b"old\n")]
        path = archives.write(self.daemon.directory / "base.tar", base(extra), "")
        made = self.post(sets=[{"file": str(path)}], name="base", version="1", private=["/opt/data"])
        self.assertEqual(made.status, 201, made.body)

    def stopped(self, name, kind):
        """A jail that was started, changed and stopped; its own tree."""
        jail = self.daemon.make(name, template="base:1", root={"kind": kind})
        self.assertEqual(jail["status"]["state"], "running")
        self.daemon.request("PATCH", f"/v1/jails/{name}", {"running": False}, WAIT)
        number = max((self.daemon.state / "jails").iterdir(), key=lambda one: int(one.name)).name
        root = self.daemon.state / "jails" / number / "root"
        self.assertTrue((root / "etc/hostname").exists())
        (root / "etc/issue").write_text("new\n")
        (root / "usr/local/tool").write_text("tool")
        with open(root / "etc/hosts", "a", encoding="utf-8") as hosts:
            hosts.write("192.0.2.9 friend\n")
        return root

    def test_a_jail_comes_out_whole_and_without_its_identity(self):
        for kind in ("thin", "copy"):
            with self.subTest(kind):
                self.stopped(f"j-{kind}", kind)
                answer = self.post(jail=f"j-{kind}", version=kind)
                self.assertEqual(answer.status, 201, answer.body)
                made = answer.json()
                self.assertEqual((made["source"], made["private"]), (f"jail j-{kind}", ["/opt/data"]))
                root = self.tree()
                self.assertEqual((root / "bin/sh").read_text(), "#!sh\n")
                self.assertEqual((root / "bin/su").stat().st_mode & 0o7777, 0o4555)
                self.assertEqual((root / "usr/bin/bash").read_text(), "#!sh\n")
                self.assertEqual(os.readlink(root / "usr/lib/libc.so"), "../../bin/sh")
                self.assertEqual((root / "etc/issue").read_text(), "new\n")
                self.assertEqual((root / "usr/local/tool").read_text(), "tool")
                self.assertEqual((root / "opt/data/a").read_text(), "a")
                self.assertEqual((root / "etc/hosts").read_text(), "192.0.2.9 friend\n")
                self.assertEqual((root / "etc/machine-id").read_text(), "")
                for name in ("hostname", "resolv.conf"):
                    self.assertFalse((root / "etc" / name).exists(), name)
                again = self.daemon.make(f"k-{kind}", template=f"made:{kind}", root={"kind": "thin"})
                self.assertEqual(again["status"]["state"], "running")

    def test_what_a_jail_must_be(self):
        self.refused(self.post(jail="nobody"), 422, "jail_unknown", "/jail")
        self.daemon.make("up", template="base:1", root={"kind": "copy"})
        refused = self.refused(self.post(jail="up"), 409, "jail_running", "/jail")
        self.assertIn("jaildctl stop up", refused["remedy"])
        self.daemon.make("hosts", template="host", running=False)
        self.refused(self.post(jail="hosts"), 422, "host_template_jail", "/jail")

    def test_a_jail_that_is_started_meanwhile(self):
        self.stopped("busy", "copy")
        zeros = archives.write_zeros(self.daemon.directory / "zeros.tbz", 8)
        held = []
        for number in range(2):  # so many at a time; the third waits
            held.append(self.daemon.request("POST", TEMPLATES, {"name": f"z{number}", "sets": [{"file": str(zeros)}]}))
            eventually(lambda: len(list((self.daemon.state / "templates").glob("*/root/zeros"))) > number, "an import")
            for program in children_named(self.daemon.process.pid, "jaild-archive"):
                os.kill(program, signal.SIGSTOP)
        answer = self.daemon.request("POST", TEMPLATES, {"name": "made", "jail": "busy"})
        self.assertEqual(answer.status, 202, answer.body)
        up = self.daemon.request("PATCH", "/v1/jails/busy", {"running": True}, WAIT)
        self.assertEqual(up.status, 200, up.body)
        for one in held:
            self.assertEqual(self.daemon.request("DELETE", one.headers["Location"]).status, 200)
        ended = eventually(lambda: (lambda one: one if one["state"] != "running" else None)(
            self.daemon.request("GET", answer.headers["Location"]).json()), "the end")
        self.assertEqual((ended["state"], ended["problem"]["code"]), ("failed", "jail_changed"), ended)
        eventually(lambda: len(self.left()) == 1, "nothing left but its own template")

    def test_a_path_root_is_copied_as_it_is(self):
        for name in ("dev", "proc", "sys", "tmp", "run"):
            (self.source / name).mkdir()
        self.daemon.make("own", root={"kind": "path", "path": str(self.source)}, running=False)
        answer = self.post(jail="own")
        self.assertEqual(answer.status, 201, answer.body)
        self.assertEqual((self.tree() / "etc/hosts").read_text(), "192.0.2.1 mine\n")


@unittest.skipIf(Settings.kernel == "linux", "tokens are for TCP, and the daemon has a network of its own")
class CopyRoles(ApiTest):
    tcp = True

    def test_an_operator_may_name_a_jail_and_no_directory(self):
        headers = {"Authorization": f"Bearer {TOKENS['operator']}"}
        refused = self.daemon.request("POST", TEMPLATES, {"name": "x", "directory": "/usr"}, headers, tcp=True)
        self.refused(refused, 403, "role_too_low")
        self.daemon.make("web", running=False)
        refused = self.daemon.request("POST", TEMPLATES, {"name": "x", "jail": "web"}, headers, tcp=True)
        self.refused(refused, 422, "host_template_jail", "/jail")
        viewer = {"Authorization": f"Bearer {TOKENS['viewer']}"}
        refused = self.daemon.request("POST", TEMPLATES, {"name": "x", "jail": "web"}, viewer, tcp=True)
        self.refused(refused, 403, "role_too_low")
