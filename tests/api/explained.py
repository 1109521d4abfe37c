"""Whether what lies in a state directory belongs to objects that the API lists, and is as large as it says."""

import os
import time

from harness import DEADLINE

DATABASE = {"jaild.db", "jaild.db-wal", "jaild.db-shm", "jaild.db.lock"}
OF_A_JAIL = {"root", "local", "prepared", "applied.json", "bundle", "shim", "snapshots", "upgrade", "nothing"}


def names_in(directory):
    return sorted(os.listdir(directory)) if directory.exists() else []


def entries_beneath(tree):
    """Nothing is followed."""
    return sum(len(directories) + len(files) for _, directories, files in os.walk(tree))


def blocks(daemon):
    """What the state directory takes up, in kibibytes, without the database: that grows with what has happened."""
    total = 0
    for directory, directories, files in os.walk(daemon.state):
        if directory == str(daemon.state):
            directories.remove("records")  # they follow the database
        for name in directories + files:
            if name not in DATABASE:
                total += os.lstat(os.path.join(directory, name)).st_blocks
    return total // 2


def items(daemon, path):
    return daemon.request("GET", path).json()["items"]


def count_of(what, where, listed, found):
    """By numbers of entries, where all are known: these have no names in common. One more is the tree's own."""
    if len(listed) != len(found):
        return [f"{len(listed)} {what} are listed, and {len(found)} are in {where}"]
    if None in listed:  # what a root was: nobody has counted it
        return []
    listed, found = sorted(listed), sorted(found)
    return [f"{what}: {one} entries are listed, {other} in {where}"
            for one, other in zip(listed, found) if not 0 <= one - other <= 1]


def of_templates(daemon):
    where = daemon.state / "templates"
    names = names_in(where)
    odd = [f"templates/{name}" for name in names if not name.isdigit()]
    odd += [f"templates/{name}/{inner}" for name in names for inner in names_in(where / name) if inner != "root"]
    listed = [one["entries"] for one in items(daemon, "/v1/templates") if not one["builtin"]]
    return odd + count_of("templates", where, listed, [entries_beneath(where / name / "root") for name in names])


def of_snapshots(daemon, jail, where):
    names = names_in(where)
    odd = [f"{where}/{name}" for name in names if not name.isdigit()]
    found = [sum(entries_beneath(where / name / part) + 1 for part in names_in(where / name)) for name in names]
    listed = [one["entries"] for one in items(daemon, f"/v1/jails/{jail}/snapshots") if one["state"] == "ready"]
    return odd + count_of(f"snapshots of {jail}", where, listed, found)


def of_jails(daemon):
    where = daemon.state / "jails"
    odd = []
    known = {}
    for jail in items(daemon, "/v1/jails?limit=1000"):
        identity = daemon.request("GET", f"/v1/jails/{jail['name']}").headers["ETag"].strip('"').split(".")[0]
        known[identity] = jail["name"]
    for name in names_in(where):
        if name not in known:
            odd.append(f"jails/{name}")
            continue
        odd += [f"jails/{name}/{inner}" for inner in names_in(where / name) if inner not in OF_A_JAIL]
        odd += [f"jails/{name}/root/{inner}" for inner in names_in(where / name / "root") if inner.startswith(".jaild")]
        odd += of_snapshots(daemon, known[name], where / name / "snapshots")
    return odd


def unexplained(daemon):
    """In words; nothing may be going on."""
    known = DATABASE | {"host-etc", "imports", "jails", "records", "templates"}
    odd = [name for name in names_in(daemon.state) if name not in known]
    odd += [f"imports/{name}" for name in names_in(daemon.state / "imports")]
    return odd + of_templates(daemon) + of_jails(daemon)


def still_unexplained(daemon):
    """The same, once jaild has had its time to clear up."""
    end = time.monotonic() + DEADLINE
    while (odd := unexplained(daemon)) and time.monotonic() < end:
        time.sleep(0.05)
    return odd
