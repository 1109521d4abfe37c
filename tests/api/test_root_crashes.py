"""kill -9 of the daemon at the steps of what takes long with roots: afterwards it is finished, or as it was before."""

import hashlib
import os
import time
import unittest

import archives
from archives import base, entry
from explained import blocks, still_unexplained
from harness import DEADLINE, Settings, eventually, needs_root
from importing import TEMPLATES, WAIT, Importing

FILES = 4000  # enough for moments to be met


def tree_of(directory):
    """Names and contents."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


class Moments(Importing):
    """A moment is a name and a check of what lies in the state directory, which is in memory: a disk may be slow."""

    memory = 512 << 20

    def as_soon_as(self, answer, check):
        """False: the operation ended before. Nothing is slept away, and nothing asked: some moments are short."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            for _ in range(20):
                if check():
                    return True
            if self.operation(answer)["state"] != "running":
                return False
        self.fail("neither the moment nor the end has come")

    def strike(self, moments, begin, after):
        """For each moment: begin() asks for something, the daemon is killed at that moment and started again, the
        operation comes to its end, and after(operation) looks at it."""
        met = []
        for name, check in moments:
            with self.subTest(name):
                answer = begin(name)
                self.assertEqual(answer.status, 202, answer.body)
                if self.as_soon_as(answer, check):
                    met.append(name)
                self.daemon.kill()
                self.daemon.start()
                after(self.ended(answer))
                self.assertEqual(still_unexplained(self.daemon), [])
        # A busy machine can be too slow for one or the other.
        self.assertGreater(len(met), len(moments) // 2, met)

    def size(self, *parts):
        """How many names are in it, which may come and go."""
        try:
            return len(os.listdir(self.daemon.state.joinpath(*parts)))
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def only(self, *parts, ending=""):
        """The path of the newest entry with this ending, relative to the state directory; None without one."""
        try:
            names = [name for name in os.listdir(self.daemon.state.joinpath(*parts)) if name.endswith(ending)]
        except FileNotFoundError:
            return None
        names.sort(key=lambda name: int(name.split(".")[0]))
        return os.path.join(*parts, names[-1]) if names else None


@needs_root
class ImportsAndTemplates(Moments):
    def test_import(self):
        names = [entry(f"./{number}", data=os.urandom(1000)) for number in range(FILES)]
        # Its checksum takes a while: it is that of a large file.
        path = archives.write(self.archives / "many.tar", [*names, entry("./large", data=bytes(64 << 20))], "")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

        def unpacked(number):
            return lambda: self.size(self.only("templates") or "none", "root") >= number

        def ready():
            return any(one["state"] == "ready" for one in self.imported())

        def begin(name):
            body = {"name": "base", "version": name, "sets": [{"file": str(path), "sha256": sha256}]}
            return self.daemon.request("POST", TEMPLATES, body)

        def after(ended):
            if ended["state"] == "failed":
                self.assertEqual(ended["problem"]["code"], "import_interrupted")
                eventually(lambda: self.imported() == [] and self.left() == [], "nothing left")
            else:
                (only,) = self.imported()
                self.assertEqual((only["state"], only["entries"]), ("ready", FILES + 1))
                (tree,) = (self.daemon.state / "templates").iterdir()
                self.assertEqual(sum(one.stat().st_size for one in (tree / "root").iterdir()), FILES * 1000 + (64 << 20))
                gone = self.daemon.request("DELETE", f"{TEMPLATES}/{only['reference']}", headers=WAIT)
                self.assertEqual(gone.status, 204, gone.body)
            self.assertEqual(blocks(self.daemon), before)

        (self.daemon.state / "templates").mkdir(exist_ok=True)
        before = blocks(self.daemon)
        self.strike([("at-once", lambda: True), ("checked", lambda: self.only("templates") is not None),
                     ("begun", unpacked(1)), ("half", unpacked(FILES // 2)), ("all", unpacked(FILES + 1)),
                     ("ready", ready)], begin, after)

    def test_removal_of_a_template(self):
        names = [entry(f"./{number}", data=b"x" * 500) for number in range(FILES)]
        path = archives.write(self.archives / "gone.tar", names, "")

        def begin(name):
            made = self.post(path, WAIT, version=name)
            self.assertEqual(made.status, 201, made.body)
            return self.daemon.request("DELETE", f"{TEMPLATES}/base:{name}")

        def after(ended):
            self.assertEqual((ended["state"], self.imported(), self.left()), ("succeeded", [], []))

        def less_than(number):
            return lambda: (lambda at: at is not None and self.size(at, "root") < number)(
                self.only("templates", ending=".removing"))

        self.strike([("at-once", lambda: True), ("renamed", lambda: self.only("templates", ending=".removing")),
                     ("half", less_than(FILES // 2)), ("nearly", less_than(FILES // 8))], begin, after)


@needs_root
@unittest.skipUnless(Settings.kernel == "linux", "the memory kernel's roots have no files")
class JailsAndSnapshots(Moments):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        path = archives.write(cls.archives / "small.tar", base(), "")
        made = cls.daemon.request("POST", TEMPLATES, {"name": "base", "version": "1", "sets": [{"file": str(path)}]}, WAIT)
        assert made.status == 201, made.body

    def make(self, name):
        """A jail with a root of many files; where that is."""
        jail = self.daemon.make(name, template="base:1", root={"kind": "copy"}, network={"mode": "none"})
        self.assertEqual(jail["status"]["state"], "running")
        root = self.daemon.state / self.only("jails") / "root"
        (root / "data").mkdir()
        for number in range(FILES):
            (root / "data" / str(number)).write_text(f"{name} {number}")
        return root

    def remove(self, name):
        self.assertEqual(self.daemon.delete(name).status, 204)

    def take(self, jail, name, headers=WAIT):
        return self.daemon.request("POST", f"/v1/jails/{jail}/snapshots", {"name": name}, headers)

    def beneath(self, root, *parts):
        """Relative to the state directory."""
        return os.path.join(str(root.parent.relative_to(self.daemon.state)), *parts)

    def test_clone_of_a_snapshot(self):
        root = self.make("origin")
        self.assertEqual(self.take("origin", "first").status, 201)
        expected = tree_of(root / "data")
        before = blocks(self.daemon)
        own = root.parent.name

        def of_clone(*parts, number=1):
            def check():
                at = self.only("jails")
                return at != f"jails/{own}" and self.size(at, *parts) >= number
            return check

        def begin(name):
            return self.daemon.request("POST", "/v1/jails/origin/snapshots/first/clone", {"name": name})

        def after(ended):
            self.assertEqual(ended["state"], "succeeded", ended)
            clone = self.daemon.state / self.only("jails") / "root"
            self.assertNotEqual(clone, root)
            self.assertEqual(tree_of(clone / "data"), expected)
            jail = self.daemon.request("GET", f"/v1/jails/{ended['jail']}").json()
            self.assertEqual(jail["status"]["state"], "running", jail)
            self.assertEqual(still_unexplained(self.daemon), [])
            self.remove(jail["name"])
            eventually(lambda: blocks(self.daemon) == before, "as much room as before")

        self.strike([("at-once", lambda: True), ("begun", of_clone("restoring")),
                     ("half", of_clone("restoring", "root", "data", number=FILES // 2)), ("copied", of_clone("restored")),
                     ("moved", of_clone("root", "data")), ("running", of_clone("shim"))], begin, after)
        self.remove("origin")

    def test_taking_of_a_snapshot(self):
        root = self.make("taken")
        expected = tree_of(root / "data")
        snapshots = self.beneath(root, "snapshots")

        def making(number):
            return lambda: (lambda at: at is not None and self.size(at, "root", "data") >= number)(
                self.only(snapshots, ending=".making"))

        def begin(name):
            return self.take("taken", name, {})

        def after(ended):
            listed = self.daemon.request("GET", "/v1/jails/taken/snapshots").json()["items"]
            if ended["state"] == "failed":
                self.assertEqual(ended["problem"]["code"], "snapshot_interrupted")
                eventually(lambda: self.size(snapshots) == 0, "nothing left")
                return
            self.assertEqual([one["state"] for one in listed], ["ready"])
            self.assertEqual(tree_of(self.daemon.state / self.only(snapshots) / "root/data"), expected)
            gone = self.daemon.request("DELETE", f"/v1/jails/taken/snapshots/{listed[0]['name']}", headers=WAIT)
            self.assertEqual(gone.status, 204)

        self.strike([("at-once", lambda: True), ("begun", making(1)), ("half", making(FILES // 2)),
                     ("all", making(FILES))], begin, after)
        self.remove("taken")

    def test_removal_of_a_snapshot(self):
        root = self.make("kept")
        snapshots = self.beneath(root, "snapshots")

        def begin(name):
            self.assertEqual(self.take("kept", name).status, 201)
            return self.daemon.request("DELETE", f"/v1/jails/kept/snapshots/{name}")

        def after(ended):
            self.assertEqual((ended["state"], self.size(snapshots)), ("succeeded", 0))
            self.assertEqual(self.daemon.request("GET", "/v1/snapshots").json()["items"], [])

        def less_than(number):
            return lambda: (lambda at: at is not None and self.size(at, "root", "data") < number)(
                self.only(snapshots, ending=".removing"))

        self.strike([("at-once", lambda: True), ("renamed", lambda: self.only(snapshots, ending=".removing")),
                     ("half", less_than(FILES // 2)), ("nearly", less_than(FILES // 8))], begin, after)
        self.remove("kept")

    def test_removal_of_a_jail(self):
        before = blocks(self.daemon)

        def begin(name):
            self.make(name)
            self.assertEqual(self.take(name, "first").status, 201)
            return self.daemon.request("DELETE", f"/v1/jails/{name}?force=true")

        def after(ended):
            self.assertEqual(ended["state"], "succeeded", ended)
            self.assertEqual(self.daemon.request("GET", "/v1/jails").json()["items"], [])
            self.assertEqual(self.size("jails"), 0)
            self.assertLessEqual(blocks(self.daemon), before + 4)

        def less_than(number):
            return lambda: (lambda at: at is not None and self.size(at, "root", "data") < number)(
                self.only("jails", ending=".removing"))

        self.strike([("at-once", lambda: True), ("renamed", lambda: self.only("jails", ending=".removing")),
                     ("half", less_than(FILES // 2)), ("nearly", less_than(FILES // 8))], begin, after)
