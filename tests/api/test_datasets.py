"""ZFS datasets that a jail is given."""

import unittest

from cli import jaildctl
from harness import TOKENS, ApiTest, Settings

WAIT = {"Prefer": "wait=60"}


class Datasets(ApiTest):
    def tearDown(self):
        for jail in self.daemon.request("GET", "/v1/jails").json()["items"]:
            self.assertIn(self.daemon.delete(jail["name"]).status, (204, 404))
        super().tearDown()

    def post(self, body, status, code, field):
        self.refused(self.daemon.request("POST", "/v1/jails", {"name": "x", **body}), status, code, field)

    def test_what_no_host_takes(self):
        self.post({"datasets": "tank/a"}, 422, "wrong_type", "/datasets")
        self.post({"datasets": ["tank/a@today"]}, 422, "invalid_value", "/datasets/0")
        self.post({"datasets": ["tank/a", "tank/a/b"]}, 422, "invalid_value", "/datasets/1")
        self.post({"datasets": [f"tank/{n}" for n in range(17)]}, 422, "too_many", "/datasets")
        self.post({"datasets": ["tank/" + "a" * 251]}, 422, "too_long", "/datasets/0")
        self.post({"datasets": ["tank/a"], "parameters": {"allow.mount": False}}, 422, "contradiction", "/parameters/allow.mount")


@unittest.skipUnless(Settings.kernel == "linux", "what Linux says")
class DatasetsOnLinux(Datasets):
    def test_linux_hands_out_none(self):
        answer = self.daemon.request("POST", "/v1/jails", {"name": "x", "datasets": ["tank/a"]})
        self.refused(answer, 422, "datasets_unsupported", "/datasets/0")
        self.assertIn("mounts", answer.json()["remedy"])
        self.daemon.make("x", running=False)
        self.refused(self.daemon.request("PATCH", "/v1/jails/x", {"datasets": ["tank/a"]}), 422, "datasets_unsupported",
                     "/datasets/0")


@unittest.skipIf(Settings.kernel == "linux", "the model's datasets")
class DatasetsOfTheModel(Datasets):
    def test_what_this_host_does_not_give_away(self):
        self.post({"datasets": ["tank/a", "missing/x"]}, 422, "dataset_missing", "/datasets/1")
        self.post({"datasets": ["zroot"]}, 422, "dataset_refused", "/datasets/0")

    def test_a_jail_has_its_datasets_from_its_start(self):
        made = self.daemon.make("web", datasets=["tank/web"])
        self.assertEqual(made["spec"]["datasets"], ["tank/web"])
        self.assertEqual(made["status"]["state"], "running")
        changed = self.daemon.request("PATCH", "/v1/jails/web", {"datasets": ["tank/web", "tank/more"]}, WAIT)
        self.assertEqual(changed.status, 200, changed.body)
        waiting = [one for one in changed.json()["status"]["conditions"] if one["type"] == "RestartRequired"]
        self.assertIn("/datasets", waiting[0]["message"])
        plan = self.daemon.request("PATCH", "/v1/jails/web?dry_run=true&restart=true", {"labels": {"a": "b"}}).json()["plan"]
        self.assertIn("detach_dataset tank/web", plan)
        again = self.daemon.request("POST", "/v1/jails/web/restart", None, WAIT)
        self.assertEqual(again.status, 200, again.body)
        self.assertEqual(self.daemon.request("GET", "/v1/jails/web/plan").json()["plan"], [])
        # What takes away what they need is refused, as a change too.
        self.refused(self.daemon.request("PATCH", "/v1/jails/web", {"parameters": {"enforce_statfs": 2}}), 422, "contradiction",
                     "/parameters/enforce_statfs")

    def test_two_jails_never_have_one(self):
        self.daemon.make("web", running=False, datasets=["tank/web"])
        for dataset in ("tank/web", "tank/web/deeper", "tank"):
            with self.subTest(dataset):
                self.post({"datasets": [dataset]}, 409, "dataset_in_use", "/datasets/0")
        mount = {"type": "zfs", "source": "tank/web", "target": "/data"}
        self.post({"mounts": [mount]}, 409, "dataset_in_use", "/mounts/0/source")
        self.daemon.make("db", running=False)
        self.refused(self.daemon.request("PATCH", "/v1/jails/db", {"datasets": ["tank"]}), 409, "dataset_in_use", "/datasets/0")
        self.assertEqual(self.daemon.delete("web").status, 204)
        self.assertEqual(self.daemon.request("PATCH", "/v1/jails/db", {"datasets": ["tank"]}, WAIT).status, 200)

    def test_the_command_line_says_them(self):
        made = jaildctl(self.daemon, "create", "web", "--dataset", "tank/a", "--dataset", "tank/b", "--stopped")
        self.assertEqual(made.code, 0, made)
        self.assertEqual(self.daemon.request("GET", "/v1/jails/web").json()["spec"]["datasets"], ["tank/a", "tank/b"])
        self.assertIn("tank/b", jaildctl(self.daemon, "show", "web").out)
        refused = jaildctl(self.daemon, "create", "db", "--dataset", "tank/a/deep")
        self.assertEqual(refused.code, 1, refused)
        self.assertIn("dataset_in_use", refused.err)


@unittest.skipIf(Settings.kernel == "linux", "tokens are for TCP, and the daemon has a network of its own")
class DatasetRoles(ApiTest):
    tcp = True

    def test_only_an_admin_chooses_datasets(self):
        operator = {"Authorization": f"Bearer {TOKENS['operator']}"}
        refused = self.daemon.request("POST", "/v1/jails", {"name": "x", "datasets": ["tank/a"]}, operator, tcp=True)
        self.refused(refused, 403, "role_too_low")
        self.daemon.make("own", running=False, datasets=["tank/a", "tank/b"])
        ask = lambda body: self.daemon.request("PATCH", "/v1/jails/own", body, operator, tcp=True)
        self.refused(ask({"datasets": ["tank/a"]}), 403, "role_too_low")
        self.assertIn(ask({"datasets": ["tank/a", "tank/b"], "labels": {"a": "b"}}).status, (200, 202))
        self.assertIn(ask({"datasets": []}).status, (200, 202))
