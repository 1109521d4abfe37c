"""A state directory that is full: what is refused and how, what goes on, and what is left."""

import os
import pathlib
import signal
import tarfile
import unittest

import archives
from archives import base, entry
from explained import unexplained
from harness import DEADLINE, Settings, eventually, needs_root
from importing import TEMPLATES, WAIT, Importing


class SmallDisk(Importing):
    """A daemon whose state directory is a small file system of its own."""

    memory = 48 << 20

    @classmethod
    def tearDownClass(cls):
        cls.filler().unlink(missing_ok=True)
        super().tearDownClass()

    @classmethod
    def filler(cls):
        return cls.daemon.state / "filler"

    def fill(self, but=0):
        """To the last byte, or so many."""
        with open(self.filler(), "wb", buffering=0) as file:
            for piece in (1 << 16, 1):
                try:
                    while but == 0 or self.free() > but:
                        file.write(bytes(piece))
                except OSError:
                    pass

    def free(self):
        now = os.statvfs(self.daemon.state)
        return now.f_bavail * now.f_frsize

    def make_room(self):
        self.filler().unlink()

    def full(self, answer):
        """A problem that says where, and what to do."""
        problem = self.refused(answer, 507, "disk_full")
        self.assertRegex(problem["remedy"], f"^free space in the file system of ({self.daemon.state}|the state directory)")
        for command in ("snapshot rm", "jaildctl rm", "template rm --unused"):
            self.assertIn(command, problem["remedy"])

    def reads_go_on(self):
        for path in ("/healthz", "/readyz", "/v1/jails", TEMPLATES, "/v1/networks", "/v1/snapshots", "/v1/host"):
            self.assertEqual(self.daemon.request("GET", path).status, 200, path)


@needs_root
class FullForImports(SmallDisk):
    def test_an_import_that_does_not_fit(self):
        free = self.free()
        path = archives.write(self.archives / "big.tar", base([entry("./big", data=bytes(96 << 20))]), "gz")
        self.full(self.post(path, WAIT))
        self.nothing_is_left()
        self.assertGreater(self.free(), free - (8 << 20))

    def test_an_upload_that_does_not_fit(self):
        free = self.free()
        self.full(self.daemon.request("POST", f"{TEMPLATES}/big:1/archive", os.urandom(64 << 20), WAIT))
        self.nothing_is_left()
        self.assertGreater(self.free(), free - (8 << 20))

    def test_reads_go_on_while_the_disk_is_full(self):
        answer, program = self.held()
        self.fill()
        self.reads_go_on()
        self.assertEqual(self.operation(answer)["state"], "running")
        os.kill(program, signal.SIGCONT)
        eventually(lambda: not pathlib.Path(f"/proc/{program}").exists(), "the end of jaild-archive")
        self.reads_go_on()
        self.make_room()  # until then not even the end of the operation may fit
        ended = self.ended(answer, 3 * DEADLINE)  # jaild tries every 30 s
        self.assertEqual((ended["state"], ended["problem"]["code"]), ("failed", "disk_full"))
        self.nothing_is_left()


@needs_root
class FullForTheDatabase(SmallDisk):
    def until_refused(self, number=4000):
        """Jails that are only written down, until there is no room for one more."""
        for index in range(number):
            answer = self.daemon.request("POST", "/v1/jails", {"name": f"d{index}", "running": False,
                                                               "labels": {"text": "x" * 60}}, WAIT)
            if answer.status != 201:
                return index, answer
        self.fail("the disk never was full")

    def test_what_cannot_be_written_down_is_refused_and_the_rest_goes_on(self):
        first = self.daemon.make("first", running=False)
        self.fill()
        made, answer = self.until_refused()
        self.full(answer)
        self.reads_go_on()
        self.assertEqual(self.daemon.request("GET", "/v1/jails/first").json(), first)
        self.refused(self.daemon.request("GET", f"/v1/jails/d{made}"), 404, "jail_not_found")
        self.full(self.daemon.request("PATCH", "/v1/jails/first", {"hostname": "x" * 60}))
        self.make_room()
        answer = self.daemon.request("POST", "/v1/jails", {"name": "after", "running": False}, WAIT)
        self.assertEqual(answer.status, 201, answer.body)
        for jail in ("first", "after", *(f"d{index}" for index in range(made))):
            self.assertEqual(self.daemon.delete(jail).status, 204)
        self.assertEqual(unexplained(self.daemon), [])

    def test_a_full_disk_outlives_a_daemon(self):
        self.fill()
        made, answer = self.until_refused()
        self.full(answer)
        self.daemon.kill()
        self.daemon.start()
        self.reads_go_on()
        self.make_room()
        for index in range(made):
            self.assertEqual(self.daemon.delete(f"d{index}").status, 204)


@needs_root
@unittest.skipUnless(Settings.kernel == "linux", "the memory kernel's roots have no files")
class FullForRoots(SmallDisk):
    def setUp(self):
        super().setUp()
        files = [entry("./var", tarfile.DIRTYPE), entry("./var/big", data=os.urandom(12 << 20))]
        made = self.post(archives.write(self.archives / "roots.tar", base(files), ""), WAIT, version="1")
        self.assertEqual(made.status, 201, made.body)

    def tearDown(self):
        self.filler().unlink(missing_ok=True)
        for jail in self.daemon.request("GET", "/v1/jails").json()["items"]:
            self.assertEqual(self.daemon.delete(jail["name"]).status, 204)
        self.assertEqual(self.daemon.request("DELETE", f"{TEMPLATES}/base:1", headers=WAIT).status, 204)
        self.assertEqual(unexplained(self.daemon), [])
        super().tearDown()

    def make(self, name):
        return self.daemon.make(name, template="base:1", root={"kind": "copy"}, network={"mode": "none"})

    def take(self, jail, name):
        return self.daemon.request("POST", f"/v1/jails/{jail}/snapshots", {"name": name}, WAIT)

    def test_a_snapshot_that_does_not_fit(self):
        self.make("web")
        self.fill(but=8 << 20)
        free = self.free()
        self.full(self.take("web", "one"))
        self.assertEqual(self.daemon.request("GET", "/v1/snapshots").json()["items"], [])
        self.assertGreater(self.free(), free - (2 << 20))
        self.reads_go_on()
        self.assertEqual(self.daemon.request("GET", "/v1/jails/web").json()["status"]["state"], "running")
        self.make_room()
        self.assertEqual(unexplained(self.daemon), [])
        self.assertEqual(self.take("web", "one").status, 201)
        self.assertEqual(unexplained(self.daemon), [])

    def test_a_root_that_does_not_fit(self):
        self.fill(but=8 << 20)
        free = self.free()
        answer = self.daemon.request("POST", "/v1/jails", {"name": "web", "template": "base:1", "root": {"kind": "copy"},
                                                           "network": {"mode": "none"}}, WAIT)
        self.full(answer)
        self.assertGreater(self.free(), free - (2 << 20))
        self.reads_go_on()
        self.make_room()
        eventually(lambda: self.daemon.request("GET", "/v1/jails/web").json()["status"]["state"] == "running",
                   "the jail to start by itself", 3 * DEADLINE)

    def test_with_a_megabyte_a_snapshot_can_be_removed(self):
        self.make("web")
        self.assertEqual(self.take("web", "one").status, 201)
        self.fill()
        self.full(self.take("web", "two"))
        os.truncate(self.filler(), self.filler().stat().st_size - (1 << 20))
        gone = self.daemon.request("DELETE", "/v1/jails/web/snapshots/one", headers=WAIT)
        self.assertEqual(gone.status, 204, gone.body)
        self.assertGreater(self.free(), 8 << 20)
