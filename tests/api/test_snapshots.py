"""Snapshots: taking, listing, restoring, cloning, schedules."""

import threading

from cli import jaildctl
from explained import still_unexplained
from harness import ApiTest, Settings, eventually, needs_root

WAIT = {"Prefer": "wait=60"}


class SnapshotTest(ApiTest):
    def take(self, jail, name, **body):
        answer = self.daemon.request("POST", f"/v1/jails/{jail}/snapshots", {"name": name, **body}, WAIT)
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json()

    def restore(self, jail, name, headers=WAIT):
        return self.daemon.request("POST", f"/v1/jails/{jail}/snapshots/{name}/restore", headers=headers)

    def names(self, jail):
        return [one["name"] for one in self.daemon.request("GET", f"/v1/jails/{jail}/snapshots").json()["items"]]

    def root(self, jail):
        """Of a jail that was made with the label `path` missing: by its id in the ETag."""
        identity = self.daemon.request("GET", f"/v1/jails/{jail}").headers["etag"].strip('"').split(".")[0]
        return self.daemon.directory / "s" / "jails" / identity / "root"


class Snapshots(SnapshotTest):
    def test_a_snapshot_is_taken_shown_and_removed(self):
        self.daemon.make("s-web")
        made = self.take("s-web", "before", description="of the first")
        self.assertEqual((made["reference"], made["state"], made["reason"]), ("s-web@before", "ready", "request"))
        self.assertEqual((made["description"], made["template"]), ("of the first", "host"))
        self.assertEqual(self.daemon.request("GET", "/v1/jails/s-web/snapshots/before").json(), made)
        self.assertIn(made, self.daemon.request("GET", "/v1/snapshots").json()["items"])
        gone = self.daemon.request("DELETE", "/v1/jails/s-web/snapshots/before", headers=WAIT)
        self.assertEqual(gone.status, 204, gone.body)
        self.assertEqual(self.names("s-web"), [])

    def test_an_unnamed_one_has_the_time_for_a_name(self):
        self.daemon.make("s-time")
        answer = self.daemon.request("POST", "/v1/jails/s-time/snapshots", {}, WAIT)
        self.assertRegex(answer.json()["name"], r"^20\d{6}-\d{6}$")

    def test_without_prefer_the_operation_tells_its_end(self):
        self.daemon.make("s-wait")
        answer = self.daemon.request("POST", "/v1/jails/s-wait/snapshots", {"name": "a"})
        self.assertEqual(answer.status, 202, answer.body)
        operation = eventually(
            lambda: (lambda now: now if now["state"] != "running" else None)(
                self.daemon.request("GET", answer.headers["location"]).json()), "the end of the operation")
        self.assertEqual((operation["kind"], operation["state"], operation["snapshot"]),
                         ("snapshot.create", "succeeded", "s-wait@a"))

    def test_names_are_unique_within_a_jail(self):
        self.daemon.make("s-one")
        self.daemon.make("s-two")
        self.take("s-one", "same")
        self.take("s-two", "same")
        answer = self.daemon.request("POST", "/v1/jails/s-one/snapshots", {"name": "SAME"})
        self.refused(answer, 409, "snapshot_exists", "/name")

    def test_bad_input(self):
        self.daemon.make("s-bad")
        def refused(body, status, code, field):
            self.refused(self.daemon.request("POST", "/v1/jails/s-bad/snapshots", body, check=False), status, code, field)
        refused({"name": ""}, 422, "invalid_name", "/name")
        refused({"name": "-a"}, 422, "invalid_name", "/name")
        refused({"name": "a/b"}, 422, "invalid_name", "/name")
        refused({"name": "a" * 64}, 422, "too_long", "/name")
        refused({"name": 7}, 422, "wrong_type", "/name")
        refused({"description": "x" * 1025}, 422, "too_long", "/description")
        refused({"color": "red"}, 422, "unknown_field", "/color")
        refused([], 422, "wrong_type", None)
        for target in ("/v1/jails/nobody/snapshots", "/v1/jails/s-bad/snapshots/none"):
            self.assertEqual(self.daemon.request("GET", target).status, 404, target)
        self.refused(self.restore("s-bad", "none"), 404, "snapshot_not_found")

    def test_a_jail_without_a_root_has_nothing_to_take(self):
        self.daemon.make("s-new", running=False)
        self.refused(self.daemon.request("POST", "/v1/jails/s-new/snapshots", {}), 409, "root_not_made")

    def test_a_path_root_is_the_users_own(self):
        directory = self.daemon.directory / "own-root"
        for name in ("proc", "dev", "sys"):
            (directory / name).mkdir(parents=True)
        self.daemon.make("s-path", root={"kind": "path", "path": str(directory)}, running=False)
        self.refused(self.daemon.request("POST", "/v1/jails/s-path/snapshots", {}), 422, "path_root")
        answer = self.daemon.request("PATCH", "/v1/jails/s-path", {"snapshots": {"daily": 2}})
        self.refused(answer, 422, "invalid_value", "/snapshots")

    def test_a_restoration_keeps_what_was_there(self):
        self.daemon.make("s-back")
        self.take("s-back", "first")
        answer = self.restore("s-back", "first")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.json()["status"]["state"], "running")
        first, kept = self.daemon.request("GET", "/v1/jails/s-back/snapshots").json()["items"]
        self.assertEqual((first["name"], kept["reason"], kept["state"]), ("first", "restore", "ready"))
        self.assertRegex(kept["name"], r"^restore-20\d{6}-\d{6}(-\d+)?$")

    def test_the_same_key_restores_once(self):
        self.daemon.make("s-key")
        self.take("s-key", "first")
        headers = {**WAIT, "Idempotency-Key": "restore-once"}
        self.assertEqual(self.restore("s-key", "first", headers).status, 200)
        again = self.restore("s-key", "first", headers)
        self.assertEqual((again.status, again.headers.get("idempotency-replayed")), (200, "true"))
        self.assertEqual(len(self.names("s-key")), 2)

    def test_a_stale_precondition_restores_nothing(self):
        self.daemon.make("s-stale")
        self.take("s-stale", "first")
        self.refused(self.restore("s-stale", "first", {"If-Match": '"1.99"'}), 412, "etag_mismatch")
        self.assertEqual(self.names("s-stale"), ["first"])

    def test_a_stopped_jail_stays_stopped(self):
        self.daemon.make("s-still")
        self.take("s-still", "first")
        self.daemon.request("PATCH", "/v1/jails/s-still", {"running": False}, WAIT)
        answer = self.restore("s-still", "first")
        self.assertEqual((answer.status, answer.json()["status"]["state"]), (200, "stopped"), answer.body)

    def test_a_clone_is_a_jail_of_its_own(self):
        own = {} if Settings.kernel == "linux" else {"datasets": ["tank/orig"]}
        self.daemon.make("s-orig", labels={"tier": "front"}, publish=[{"host_port": 18080, "jail_port": 80}], **own)
        self.take("s-orig", "first")
        answer = self.daemon.request("POST", "/v1/jails/s-orig/snapshots/first/clone",
                                     {"name": "s-copy", "labels": {"copy": "yes"}}, WAIT)
        self.assertEqual(answer.status, 201, answer.body)
        spec = answer.json()["spec"]
        self.assertEqual((spec["labels"], spec["publish"], spec["datasets"]), ({"tier": "front", "copy": "yes"}, [], []))
        self.assertNotEqual(answer.json()["status"]["addresses"],
                            self.daemon.request("GET", "/v1/jails/s-orig").json()["status"]["addresses"])
        self.assertEqual(self.daemon.request("DELETE", "/v1/jails/s-orig?force=true", headers=WAIT).status, 204)
        self.assertEqual(self.daemon.request("GET", "/v1/jails/s-copy").json()["status"]["state"], "running")

    def test_a_clone_needs_a_free_name(self):
        self.daemon.make("s-taken")
        self.take("s-taken", "first")
        target = "/v1/jails/s-taken/snapshots/first/clone"
        self.refused(self.daemon.request("POST", target, {"name": "s-taken"}), 409, "name_in_use", "/name")
        self.refused(self.daemon.request("POST", target, {}, check=False), 422, "missing_field", "/name")
        answer = self.daemon.request("POST", target, {"name": "s-other", "root": {"kind": "copy"}})
        self.refused(answer, 422, "immutable_field", "/root")

    def test_snapshots_go_with_their_jail(self):
        self.daemon.make("s-gone")
        self.take("s-gone", "first")
        self.assertEqual(self.daemon.request("DELETE", "/v1/jails/s-gone?force=true", headers=WAIT).status, 204)
        all_names = [one["jail"] for one in self.daemon.request("GET", "/v1/snapshots").json()["items"]]
        self.assertNotIn("s-gone", all_names)

    def test_a_schedule_takes_one_of_each_series(self):
        self.daemon.make("s-clock", snapshots={"hourly": 2, "daily": 1})
        def taken():
            items = self.daemon.request("GET", "/v1/jails/s-clock/snapshots").json()["items"]
            return items if [one["state"] for one in items] == ["ready", "ready"] else None
        items = eventually(taken, "scheduled snapshots")
        self.assertEqual(sorted(one["series"] for one in items), ["daily", "hourly"])
        self.assertEqual({one["reason"] for one in items}, {"schedule"})

    def test_a_schedule_is_checked(self):
        def refused(schedule, code, field):
            answer = self.daemon.request("POST", "/v1/jails", {"name": "s-odd", "snapshots": schedule}, check=False)
            self.refused(answer, 422, code, field)
        refused({"yearly": 1}, "unknown_field", "/snapshots/yearly")
        refused({"daily": 0}, "invalid_value", "/snapshots/daily")
        refused({"daily": 201}, "invalid_value", "/snapshots/daily")
        refused({"daily": "7"}, "wrong_type", "/snapshots/daily")
        refused([7], "wrong_type", "/snapshots")

    def test_the_command_line(self):
        self.daemon.make("s-cli")
        def ran(*arguments, code=0):
            done = jaildctl(self.daemon, "snapshot", *arguments)
            self.assertEqual(done.code, code, done)
            return done
        self.assertRegex(ran("create", "s-cli", "one").out, r"took s-cli@one: \d+ entries")
        ran("create", "s-cli@two", "--description", "the second")
        listed = ran("ls", "s-cli").out
        self.assertIn("s-cli@one", listed)
        self.assertIn("s-cli@two", listed)
        self.assertIn("the second", ran("show", "s-cli@two").out)
        self.assertIn("restored s-cli@one", ran("restore", "s-cli@one").out)
        self.assertIn("created s-twin from s-cli@one", ran("clone", "s-cli@one", "s-twin", "--label", "a=b").out)
        self.assertIn("scheduled", ran("schedule", "s-cli", "weekly=1,monthly=12").out)
        spec = self.daemon.request("GET", "/v1/jails/s-cli").json()["spec"]
        self.assertEqual(spec["snapshots"], {"weekly": 1, "monthly": 12})
        ran("schedule", "s-cli", "none")
        self.assertEqual(self.daemon.request("GET", "/v1/jails/s-cli").json()["spec"]["snapshots"], {})
        ran("rm", "s-cli@one", "s-cli@two")
        self.assertIn("JAIL@NAME", ran("rm", "s-cli", code=2).err)
        self.assertIn("JAIL@NAME", ran("restore", "s-cli@", code=2).err)
        self.assertIn("snapshot_not_found", ran("restore", "s-cli@one", code=1).err)
        ran("schedule", "s-cli", "daily", code=2)


@needs_root
class SnapshotsOfFiles(SnapshotTest):
    """With the files of a real root: only where a jail has one."""

    def setUp(self):
        super().setUp()
        if not self.on_linux():
            self.skipTest("the memory kernel's roots have no files")

    def test_what_a_jail_wrote_comes_back(self):
        self.daemon.make("f-web")
        root = self.root("f-web")
        (root / "root/note").write_text("first")
        self.take("f-web", "first")
        (root / "root/note").write_text("second")
        (root / "root/more").write_text("more")
        answer = self.restore("f-web", "first")
        self.assertEqual((answer.status, answer.json()["status"]["state"]), (200, "running"), answer.body)
        self.assertEqual((root / "root/note").read_text(), "first")
        self.assertFalse((root / "root/more").exists())
        kept = self.names("f-web")[1]
        self.assertEqual(self.restore("f-web", kept).status, 200)
        self.assertEqual((root / "root/note").read_text(), "second")
        self.assertTrue((root / "root/more").exists())

    def test_what_is_mounted_is_no_part_of_it(self):
        self.daemon.make("f-mount", mounts=[{"type": "tmpfs", "target": "/srv"}])
        root = self.root("f-mount")
        ran = self.daemon.request("POST", "/v1/jails/f-mount/exec", {"argv": ["/bin/sh", "-c", "echo x >/srv/secret"]})
        self.assertEqual(ran.json()["exit_code"], 0, ran.body)
        made = self.take("f-mount", "first")
        identity = root.parent
        copies = list((identity / "snapshots").iterdir())
        self.assertEqual(len(copies), 1)
        self.assertEqual(list((copies[0] / "root/srv").iterdir()), [])
        self.assertEqual(list((copies[0] / "root/usr").iterdir()), [])
        self.assertGreater(made["entries"], 10)

    def test_a_clone_has_the_files(self):
        self.daemon.make("f-orig")
        (self.root("f-orig") / "root/note").write_text("of the original")
        self.take("f-orig", "first")
        answer = self.daemon.request("POST", "/v1/jails/f-orig/snapshots/first/clone", {"name": "f-twin"}, WAIT)
        self.assertEqual(answer.status, 201, answer.body)
        self.assertEqual((self.root("f-twin") / "root/note").read_text(), "of the original")
        (self.root("f-twin") / "root/note").write_text("of the twin")
        self.assertEqual((self.root("f-orig") / "root/note").read_text(), "of the original")

    def test_a_lost_copy_leaves_the_jail_as_it_is(self):
        self.daemon.make("f-lost")
        root = self.root("f-lost")
        self.take("f-lost", "first")
        (root / "root/note").write_text("stays")
        copies = root.parent / "snapshots"
        next(copies.iterdir()).rename(copies / "elsewhere")
        pid = self.daemon.request("GET", "/v1/jails/f-lost").json()["status"]["pid"]
        self.refused(self.restore("f-lost", "first"), 409, "snapshot_missing")
        jail = self.daemon.request("GET", "/v1/jails/f-lost").json()
        self.assertEqual((jail["status"]["state"], jail["status"]["pid"]), ("running", pid))
        self.assertEqual((root / "root/note").read_text(), "stays")
        self.assertEqual(self.names("f-lost"), ["first"])


@needs_root
class SnapshotCrashes(SnapshotTest):
    """kill -9 of the daemon at moments of a restoration: afterwards it is finished."""

    def setUp(self):
        super().setUp()
        if not self.on_linux():
            self.skipTest("the memory kernel's roots have no files")

    def test_a_daemon_that_is_killed_finishes_later(self):
        self.daemon.make("c-web")
        root = self.root("c-web")
        for index in range(200):
            (root / f"root/file{index}").write_text("first " * 1000)
        self.take("c-web", "first")
        for attempt in range(6):
            (root / "root/file0").write_text(f"changed {attempt}")
            before = set(self.names("c-web"))
            answer = self.restore("c-web", "first", {})
            self.assertEqual(answer.status, 202, answer.body)
            # At another moment each time: the first at once, the last most likely when all is done.
            threading.Event().wait(0.02 * attempt * attempt)
            self.daemon.kill()
            self.daemon.start()
            operation = eventually(
                lambda: (lambda now: now if now["state"] != "running" else None)(
                    self.daemon.request("GET", answer.headers["location"]).json()), "the end of the restoration")
            self.assertEqual(operation["state"], "succeeded", operation)
            self.assertEqual((root / "root/file0").read_text(), "first " * 1000)
            self.assertFalse((root.parent / "restoring").exists())
            self.assertFalse((root.parent / "restored").exists())
            kept = set(self.names("c-web")) - before
            self.assertEqual(len(kept), 1)
            self.assertTrue(kept.pop().startswith("restore-"))
            self.assertEqual(still_unexplained(self.daemon), [])

    def test_a_half_taken_one_goes(self):
        self.daemon.make("c-half")
        root = self.root("c-half")
        for index in range(2000):
            (root / f"root/file{index}").write_text("x" * 10_000)
        answer = self.daemon.request("POST", "/v1/jails/c-half/snapshots", {"name": "half"})
        self.assertEqual(answer.status, 202, answer.body)
        self.daemon.kill()
        self.daemon.start()
        operation = self.daemon.request("GET", answer.headers["location"]).json()
        if operation["state"] == "succeeded":
            return  # it was faster than the signal
        self.assertEqual((operation["state"], operation["problem"]["code"]), ("failed", "snapshot_interrupted"))
        eventually(lambda: self.names("c-half") == [], "the row to go")
        left = root.parent / "snapshots"
        self.assertEqual(list(left.iterdir()) if left.exists() else [], [])  # the daemon may have made it, or not yet
