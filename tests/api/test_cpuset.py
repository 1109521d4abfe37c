"""The processors that a jail may run on."""

import os

from harness import ApiTest


class Cpuset(ApiTest):
    def patch(self, cpuset):
        return self.daemon.request("PATCH", f"/v1/jails/{self.name}", {"cpuset": cpuset}, {"Prefer": "wait=60"})

    def settled(self):
        self.assertEqual(self.daemon.request("GET", f"/v1/jails/{self.name}/plan").json(), {"plan": []})

    def every_processor(self):
        """As the host's are written; the memory kernel has eight."""
        if not self.on_linux():
            return "0-7"
        with open("/sys/devices/system/cpu/online", encoding="ascii") as online:
            return online.read().strip()

    def test_what_is_no_list_of_processors(self):
        for cpuset, code in (("0-", "invalid_value"), ("4-2", "invalid_value"), ("a", "invalid_value"),
                             ("0,,1", "invalid_value"), ("1024", "invalid_value"), (0, "wrong_type"),
                             (["0"], "wrong_type"), ("0," * 3000, "too_long")):
            for target in ("/v1/jails", "/v1/jails?dry_run=true"):
                self.refused(self.daemon.request("POST", target, {"name": "x", "cpuset": cpuset}), 422, code, "/cpuset")

    def test_a_processor_that_the_host_has_not(self):
        self.assertLess(os.cpu_count(), 1000)
        self.refused(self.daemon.request("POST", "/v1/jails", {"name": "x", "cpuset": "0,1023"}), 422, "no_such_cpu",
                     "/cpuset")
        self.refused(self.daemon.request("GET", "/v1/jails/x"), 404, "jail_not_found")
        self.daemon.make(self.name)
        self.refused(self.patch("1023"), 422, "no_such_cpu", "/cpuset")
        self.assertEqual(self.daemon.request("GET", f"/v1/jails/{self.name}").json()["spec"]["cpuset"], "")

    def allowed(self):
        """Of a program that is in the jail all the time; as the kernel lists them."""
        if not self.on_linux():
            return None
        pid = self.daemon.request("GET", f"/v1/jails/{self.name}").json()["status"]["command_pid"]
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next(line.split()[1] for line in status if line.startswith("Cpus_allowed_list:"))

    def test_live_changes_need_no_restart(self):
        self.daemon.make(self.name, cpuset="0,0", command=["sleep", "1000"])
        self.settled()
        self.assertIn(self.allowed(), ("0", None))
        for cpuset in ("", "0", None):
            jail = self.patch(cpuset).json()
            self.assertEqual(jail["spec"]["cpuset"], cpuset or "")
            self.assertNotIn("RestartRequired", [condition["type"] for condition in jail["status"]["conditions"]])
            self.settled()
            self.assertIn(self.allowed(), (cpuset or self.every_processor(), None))

    def test_all_of_them_by_their_names(self):
        self.daemon.make(self.name, cpuset=self.every_processor())
        self.settled()
        self.patch("")
        self.settled()
