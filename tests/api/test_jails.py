"""The life of jails over the API: all verbs, entity tags, waiting, dry runs, lists."""

import concurrent.futures
import pathlib
import subprocess
import time
import unittest
import urllib.parse

from harness import ApiTest, Settings, ask, eventually


class Lifecycle(ApiTest):
    def test_create_answers_at_once_with_an_operation(self):
        answer = self.daemon.request("POST", "/v1/jails", {"name": self.name})
        self.assertEqual(answer.status, 202)
        jail = answer.json()
        self.assertEqual(answer.headers["Location"], f"/v1/operations/{jail['operation']}")
        self.assertRegex(answer.headers["ETag"], r'^"\d+\.1"$')
        ended = eventually(lambda: self.ended(answer.headers["Location"]), "the operation ends")
        self.assertEqual((ended["state"], ended["kind"], ended["jail"]), ("succeeded", "create", self.name))
        self.assertEqual(self.daemon.request("GET", f"/v1/jails/{self.name}").json()["status"]["state"], "running")

    def ended(self, location):
        operation = self.daemon.request("GET", location).json()
        return operation if operation["state"] != "running" else None

    @unittest.skipUnless(Settings.kernel == "linux", "needs a kernel with mounts")
    def test_what_somebody_mounted_in_a_jail_is_detached_by_name(self):
        self.daemon.make(self.name)
        data = self.daemon.directory / "their data"
        data.mkdir()
        (data / "file").write_text("kept")
        ours = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        roots = [point for point in ours if point.startswith(f"{self.daemon.state}/jails/") and point.endswith("/root/usr")]
        root = max(roots, key=lambda point: int(point.split("/")[-3]))  # ids grow
        home = pathlib.Path(root).parent / "home"
        subprocess.run(["mount", "--bind", str(data), str(home)], check=True)
        self.assertEqual((home / "file").read_text(), "kept")
        answer = self.daemon.request("DELETE", f"/v1/jails/{self.name}?force=true")
        ended = eventually(lambda: self.ended(answer.headers["Location"]), "the operation ends")
        self.assertEqual(ended["state"], "succeeded")
        self.assertTrue([step for step in ended["steps"] if step.startswith("unmount root/home (") and
                         step.endswith("their data])")], ended["steps"])
        self.assertEqual((data / "file").read_text(), "kept")

    def test_waiting_answers_with_the_jail(self):
        answer = self.daemon.request("POST", "/v1/jails", {"name": self.name}, {"Prefer": "respond-async, wait=60"})
        self.assertEqual(answer.status, 201)
        self.assertEqual(answer.headers["Location"], f"/v1/jails/{self.name}")
        self.assertEqual(answer.headers["Preference-Applied"], "wait=60")
        jail = answer.json()
        self.assertEqual(jail["status"]["state"], "running")
        self.assertEqual(jail["status"]["observed_generation"], jail["generation"])
        self.assertTrue(jail["status"]["addresses"])
        self.assertEqual(jail["spec"]["template"], "host")

    def test_no_waiting_at_all_is_a_wait_too(self):
        answer = self.daemon.request("POST", "/v1/jails", {"name": self.name}, {"Prefer": "wait=0"})
        self.assertIn(answer.status, (201, 202))
        self.assertEqual(answer.headers["Preference-Applied"], "wait=0")

    def test_a_wait_longer_than_the_bound_is_cut(self):
        answer = self.daemon.request("POST", "/v1/jails", {"name": self.name}, {"Prefer": "wait=100000"})
        self.assertEqual((answer.status, answer.headers["Preference-Applied"]), (201, "wait=300"))

    def test_stop_start_and_remove(self):
        self.daemon.make(self.name)
        stop = self.daemon.request("PATCH", f"/v1/jails/{self.name}", {"running": False}, {"Prefer": "wait=60"})
        self.assertEqual((stop.status, stop.json()["status"]["state"]), (200, "stopped"))
        start = self.daemon.request("PATCH", f"/v1/jails/{self.name}", {"running": True}, {"Prefer": "wait=60"})
        self.assertEqual((start.status, start.json()["status"]["state"]), (200, "running"))
        self.refused(self.daemon.request("DELETE", f"/v1/jails/{self.name}"), 409, "jail_running")
        gone = self.daemon.delete(self.name)
        self.assertEqual((gone.status, gone.body), (204, b""))
        self.refused(self.daemon.request("GET", f"/v1/jails/{self.name}"), 404, "jail_not_found")

    def test_remove_without_waiting_names_its_operation_twice(self):
        self.daemon.make(self.name, running=False)
        first = self.daemon.request("DELETE", f"/v1/jails/{self.name}")
        self.assertEqual(first.status, 202)
        again = self.daemon.request("DELETE", f"/v1/jails/{self.name}")
        self.assertIn(again.status, (202, 404))
        if again.status == 202:
            self.assertEqual(again.headers["Location"], first.headers["Location"])
        eventually(lambda: self.daemon.request("GET", f"/v1/jails/{self.name}").status == 404, "the jail is gone")

    def test_a_removal_is_told_when_it_is_done_and_not_before(self):
        # Whatever another operation was doing just then.
        for number in range(20):
            self.daemon.make(self.name, running=False)
            self.daemon.request("PATCH", f"/v1/jails/{self.name}", {"running": True})
            time.sleep(0.02 * number if self.on_linux() else 0.001 * number)  # another moment each time
            gone = self.daemon.delete(self.name)
            self.assertEqual(gone.status, 204)
            self.refused(self.daemon.request("GET", f"/v1/jails/{self.name}"), 404, "jail_not_found")

    def test_restart_makes_the_jail_anew(self):
        self.daemon.make(self.name)
        answer = self.daemon.request("POST", f"/v1/jails/{self.name}/restart", headers={"Prefer": "wait=60"})
        self.assertEqual((answer.status, answer.json()["status"]["state"]), (200, "running"))
        self.daemon.request("PATCH", f"/v1/jails/{self.name}", {"running": False}, {"Prefer": "wait=60"})
        self.refused(self.daemon.request("POST", f"/v1/jails/{self.name}/restart"), 409, "jail_stopped")

    def test_a_restart_field_waits_and_restart_true_takes_it(self):
        self.daemon.make(self.name)
        changed = self.daemon.request("PATCH", f"/v1/jails/{self.name}", {"exec": {"user": "nobody"}},
                                      {"Prefer": "wait=60"})
        self.assertEqual(changed.status, 200)
        waits = eventually(lambda: self.condition("RestartRequired"), "the condition RestartRequired")
        self.assertTrue(waits["message"])
        again = self.daemon.request("PATCH", f"/v1/jails/{self.name}?restart=true", {"exec": {"directory": "/tmp"}},
                                    {"Prefer": "wait=60"})
        self.assertEqual(again.status, 200)
        eventually(lambda: not self.condition("RestartRequired"), "nothing waits for a restart")

    def condition(self, kind):
        jail = self.daemon.request("GET", f"/v1/jails/{self.name}").json()
        return next((c for c in jail["status"]["conditions"] if c["type"] == kind and c["status"]), None)

    def test_plan_is_empty_when_all_is_as_wanted(self):
        self.daemon.make(self.name)
        eventually(lambda: self.daemon.request("GET", f"/v1/jails/{self.name}/plan").json()["plan"] == [],
                   "an empty plan")

    def test_a_secret_is_never_shown_again(self):
        answer = self.daemon.request("POST", "/v1/jails", {
            "name": self.name, "exec": {"env": {"KEY": {"value": "s3cr3t-of-mine", "secret": True}, "LANG": "C"}}},
            {"Prefer": "wait=60"})
        self.assertEqual(answer.json()["spec"]["exec"]["env"], {"KEY": {"secret": True}, "LANG": "C"})
        events = self.daemon.request("GET", "/v1/events?follow=false&limit=1000")
        plan = self.daemon.request("GET", f"/v1/jails/{self.name}/plan")
        for shown in (answer, events, plan):
            self.assertNotIn(b"s3cr3t-of-mine", shown.body)
        jail = self.daemon.request("GET", f"/v1/jails/{self.name}")
        spec = jail.json()["spec"]
        back = self.daemon.request("PUT", f"/v1/jails/{self.name}", spec, {"If-Match": jail.headers["ETag"]})
        self.assertEqual(back.status, 200, "what GET shows can be written back, and is no change")


class DryRun(ApiTest):
    def test_a_dry_run_shows_and_changes_nothing(self):
        would = self.daemon.request("POST", "/v1/jails?dry_run=true", {"name": self.name})
        self.assertEqual(would.status, 200)
        self.assertTrue(would.json()["plan"])
        self.assertEqual(would.json()["jail"]["name"], self.name)
        self.refused(self.daemon.request("GET", f"/v1/jails/{self.name}"), 404, "jail_not_found")

        self.daemon.make(self.name)
        before = self.daemon.request("GET", f"/v1/jails/{self.name}")
        for method, target, body in (("PATCH", "?dry_run=true", {"running": False}),
                                     ("DELETE", "?dry_run=true&force=true", None)):
            would = self.daemon.request(method, f"/v1/jails/{self.name}{target}", body)
            self.assertEqual(would.status, 200)
            self.assertTrue(would.json()["plan"])
        would = self.daemon.request("PUT", f"/v1/jails/{self.name}?dry_run=true", {"running": False},
                                    {"If-Match": "*"})
        self.assertEqual((would.status, would.json()["jail"]["spec"]["running"]), (200, False))
        after = self.daemon.request("GET", f"/v1/jails/{self.name}")
        self.assertEqual(after.headers["ETag"], before.headers["ETag"])


class EntityTags(ApiTest):
    def test_put_needs_the_tag_of_what_it_replaces(self):
        first = self.daemon.make(self.name)
        put = f"/v1/jails/{self.name}"
        tag = self.daemon.request("GET", put).headers["ETag"]
        spec = dict(first["spec"], hostname="other")
        self.refused(self.daemon.request("PUT", put, spec), 428, "precondition_required")
        self.refused(self.daemon.request("PUT", put, spec, {"If-None-Match": "*"}), 412, "etag_mismatch")
        done = self.daemon.request("PUT", put, spec, {"If-Match": tag, "Prefer": "wait=60"})
        self.assertEqual((done.status, done.json()["spec"]["hostname"]), (200, "other"))
        self.assertNotEqual(done.headers["ETag"], tag)
        self.refused(self.daemon.request("PUT", put, first["spec"], {"If-Match": tag}), 412, "etag_mismatch")
        several = f'"0.1", {done.headers["ETag"]}'
        self.assertEqual(self.daemon.request("PUT", put, first["spec"], {"If-Match": several}).status, 202)

    def test_put_makes_what_does_not_exist(self):
        put = f"/v1/jails/{self.name}"
        self.refused(self.daemon.request("PUT", put, {}, {"If-Match": '"1.1"'}), 412, "etag_mismatch")
        made = self.daemon.request("PUT", put, {"running": False}, {"If-None-Match": "*", "Prefer": "wait=60"})
        self.assertEqual((made.status, made.headers["Location"]), (201, put))
        self.refused(self.daemon.request("PUT", f"{put}-2", {"name": "another"}), 422, "name_mismatch", "/name")

    def test_patch_and_delete_honour_if_match(self):
        self.daemon.make(self.name, running=False)
        one = f"/v1/jails/{self.name}"
        for tag in ('"1.99"', 'W/' + self.daemon.request("GET", one).headers["ETag"]):
            self.refused(self.daemon.request("PATCH", one, {"labels": {"a": "b"}}, {"If-Match": tag}), 412,
                         "etag_mismatch")
            self.refused(self.daemon.request("DELETE", one, headers={"If-Match": tag}), 412, "etag_mismatch")
        for bad in ("7.3", '"unclosed', '*, "1.1"', ""):
            self.refused(self.daemon.request("PATCH", one, {}, {"If-Match": bad}), 400, "invalid_precondition")
        tag = self.daemon.request("GET", one).headers["ETag"]
        done = self.daemon.request("PATCH", one, {"labels": {"a": "b"}}, {"If-Match": tag})
        self.assertEqual(done.status, 202)

    def test_restart_and_exec_honour_if_match(self):
        self.daemon.make(self.name)
        one = f"/v1/jails/{self.name}"
        tag = self.daemon.request("GET", one).headers["ETag"]
        for target, body in ((f"{one}/restart", None), (f"{one}/exec", {"argv": ["echo"]})):
            self.refused(self.daemon.request("POST", target, body, {"If-Match": '"1.99"'}), 412, "etag_mismatch")
            self.refused(self.daemon.request("POST", target, body, {"If-Match": "7"}), 400, "invalid_precondition")
        self.assertEqual(self.daemon.request("GET", one).headers["ETag"], tag, "nothing was restarted")
        ran = self.daemon.request("POST", f"{one}/exec", {"argv": ["echo"]}, {"If-Match": tag})
        self.assertEqual(ran.status, 200)
        done = self.daemon.request("POST", f"{one}/restart", None, {"If-Match": tag, "Prefer": "wait=60"})
        self.assertEqual(done.status, 200)

    def test_a_condition_that_means_nothing_is_refused(self):
        made = self.daemon.request("POST", "/v1/jails", {"name": self.name}, {"If-Match": '"1.1"'})
        self.refused(made, 400, "invalid_precondition")
        self.assertEqual(self.daemon.request("GET", f"/v1/jails/{self.name}").status, 404)
        self.refused(self.daemon.request("DELETE", "/v1/operations/1", headers={"If-Match": "*"}), 400,
                     "invalid_precondition")

    def test_nothing_to_change_is_no_operation(self):
        self.daemon.make(self.name)
        one = f"/v1/jails/{self.name}"
        before = self.daemon.request("GET", one).headers["ETag"]
        same = self.daemon.request("PATCH", one, {"running": True})
        self.assertEqual((same.status, same.headers["ETag"]), (200, before))

    def test_get_answers_304_to_the_tag_that_it_has(self):
        self.daemon.make(self.name, running=False)
        one = f"/v1/jails/{self.name}"
        tag = self.daemon.request("GET", one).headers["ETag"]
        for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            answer = self.daemon.request("GET", one, headers={"If-None-Match": known})
            self.assertEqual((answer.status, answer.body, answer.headers["ETag"]), (304, b"", tag))
        self.assertEqual(self.daemon.request("GET", one, headers={"If-None-Match": '"0.0"'}).status, 200)

    def test_both_content_types_of_a_patch(self):
        self.daemon.make(self.name, running=False)
        one = f"/v1/jails/{self.name}"
        for kind in ("application/merge-patch+json", "application/json; charset=utf-8", "Application/JSON"):
            done = self.daemon.request("PATCH", one, {"labels": {"kind": kind}}, {"Content-Type": kind})
            self.assertEqual((done.status, done.json()["labels"]), (202, {"kind": kind}))


class Retries(ApiTest):
    def test_the_same_key_is_done_once(self):
        headers = {"Idempotency-Key": "4f2c-key-of-mine", "Prefer": "wait=60"}
        first = self.daemon.request("POST", "/v1/jails", {"name": self.name}, headers)
        again = self.daemon.request("POST", "/v1/jails", {"name": self.name}, headers)
        self.assertEqual((first.status, again.status), (201, 201))
        self.assertEqual((first.headers["Idempotency-Replayed"], again.headers["Idempotency-Replayed"]), (None, "true"))
        other = self.daemon.request("POST", "/v1/jails", {"name": self.name + "-2"}, headers)
        self.refused(other, 409, "idempotency_key_reused")
        restart = f"/v1/jails/{self.name}/restart"
        operations = {self.daemon.request("POST", restart, headers={"Idempotency-Key": "again"}).headers["Location"]
                      for _ in range(3)}
        self.assertEqual(len(operations), 1)

    def test_a_key_that_is_none(self):
        for bad in ("", "two words", "x" * 256, "naïve"):
            answer = self.daemon.request("POST", "/v1/jails", {"name": self.name},
                                         {"Idempotency-Key": bad.encode("latin-1")})
            self.refused(answer, 400, "invalid_idempotency_key")


class Lists(ApiTest):
    def pages(self, query):
        target = f"/v1/jails?{query}"
        found = []
        while target:
            answer = self.daemon.request("GET", target)
            self.assertEqual(answer.status, 200)
            page = answer.json()
            found.append([jail["name"] for jail in page["items"]])
            link = answer.headers["Link"]
            self.assertEqual(link is None, "next" not in page)
            target = link.split(">")[0].removeprefix("<") if link else None
        return found

    def test_pages_hold_each_jail_once(self):
        names = [f"page-{number}" for number in range(7)]
        for number, name in enumerate(names):
            self.daemon.make(name, running=False, labels={"set": "a b&c", "odd": str(number % 2)})
        query = urllib.parse.urlencode({"limit": 3, "label": "set=a b&c"})
        pages = self.pages(query)
        self.assertEqual([len(page) for page in pages], [3, 3, 1])
        self.assertEqual(sum(pages, []), names)
        odd = self.pages("limit=2&label=odd%3D1&label=" + urllib.parse.quote("set=a b&c"))
        self.assertEqual(sum(odd, []), names[1::2])
        # A jail that is removed between two pages takes no other one with it.
        first = self.daemon.request("GET", f"/v1/jails?{query}").json()
        self.daemon.delete("page-2")
        rest = self.daemon.request("GET", f"/v1/jails?{query}&cursor={first['next']}").json()
        self.assertEqual([jail["name"] for jail in rest["items"]], names[3:6])

    def test_filters(self):
        self.daemon.make("filter-up", labels={"f": "1"})
        self.daemon.make("filter-down", running=False, labels={"f": "1"})
        for query, names in (("state=running", ["filter-up"]), ("state=stopped", ["filter-down"]),
                             ("template=host", ["filter-up", "filter-down"]), ("template=none", []),
                             ("label=f%3D2", []), ("state=failed", [])):
            self.assertEqual(sum(self.pages(f"label=f%3D1&{query}"), []), names, query)

    def test_what_is_no_query(self):
        for query, code in (("limit=0", "invalid_parameter"), ("limit=1001", "invalid_parameter"),
                            ("limit=ten", "invalid_parameter"), ("limit=", "invalid_parameter"),
                            ("cursor=zzz!", "invalid_cursor"), ("cursor=", "invalid_cursor"),
                            ("cursor=jzzzzzzzzzzzzzzzzzz", "invalid_cursor"), ("state=dead", "invalid_parameter"),
                            ("label=novalue", "invalid_parameter"), ("label=%3Dx", "invalid_parameter"),
                            ("limit=1&limit=2", "duplicate_parameter"), ("color=red", "unknown_parameter"),
                            ("Limit=1", "unknown_parameter")):
            self.refused(self.daemon.request("GET", f"/v1/jails?{query}"), 400, code)
        self.refused(self.daemon.request("DELETE", "/v1/jails/x?force=yes"), 400, "invalid_parameter")
        self.refused(self.daemon.request("GET", "/v1/jails/x?dry_run=true"), 400, "unknown_parameter")


class Parallel(ApiTest):
    def test_64_at_a_time(self):
        names = [f"crowd-{number}" for number in range(64)]
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            made = list(pool.map(lambda name: self.daemon.request(
                "POST", "/v1/jails", {"name": name}, {"Prefer": "wait=120"}, timeout=150), names))
            self.assertEqual({answer.status for answer in made}, {201})
            addresses = [answer.json()["status"]["addresses"][0] for answer in made]
            self.assertEqual(len(set(addresses)), 64)
            # One name for all: one wins.
            same = list(pool.map(lambda _: self.daemon.request("POST", "/v1/jails", {"name": "winner"}), range(64)))
            self.assertEqual(sorted({answer.status for answer in same}), [202, 409])
            self.assertEqual(sum(answer.status == 202 for answer in same), 1)
            gone = list(pool.map(lambda name: self.daemon.request(
                "DELETE", f"/v1/jails/{name}?force=true", headers={"Prefer": "wait=120"}, timeout=150), names))
            self.assertEqual({answer.status for answer in gone}, {204})

    def test_one_connection_many_requests(self):
        connection = self.daemon.connection()
        self.daemon.make(self.name, running=False)
        for _ in range(200):
            self.assertEqual(ask(connection, "GET", f"/v1/jails/{self.name}").status, 200)
        connection.close()
