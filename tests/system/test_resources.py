"""Limits of control groups, read from made-up trees of both versions."""

import pytest

from interactivenet.system.resources import Limits, read_limits

V2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "32 31 0:29 {top} /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 {top} /sys/fs/cgroup/memory ro master:3 - cgroup cgroup rw,memory\n"
    "36 31 0:33 {top} /sys/fs/cgroup/devices ro - cgroup cgroup rw,devices\n"
)
NONE = 9223372036854771712


@pytest.fixture
def machine(tmp_path):
    """Return a function that writes /proc/self of a process and the files of its groups."""

    def make(groups, mounts, files):
        own = {"proc/self/cgroup": groups, "proc/self/mountinfo": mounts}
        for name, text in {**own, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return read_limits(tmp_path)

    return make


def v2(**files):
    """Files of groups: 'a_b__cpu' for a/b/cpu.max."""
    found = {}
    for name, text in files.items():
        group, _, control = name.rpartition("__")
        found[f"sys/fs/cgroup/{group.replace('_', '/')}/{control}.max"] = text
    return found


def test_no_groups_no_limits(tmp_path):
    assert read_limits(tmp_path) == Limits(None, None, None)


@pytest.mark.parametrize(
    ("group", "files", "cores", "memory"),
    [
        ("/", v2(__cpu="200000 100000\n", __memory="2147483648\n"), 2.0, 2**31),
        ("/", v2(__cpu="max 100000\n", __memory="max\n"), None, None),
        ("/", v2(__cpu="50000 100000\n"), 0.5, None),
        # the job's limit holds for the step within it, which has a wider one
        ("/job/step", v2(job__cpu="150000 100000", job_step__cpu="400000 100000",
                         job__memory="1000000", job_step__memory="max"), 1.5, 10**6),
        ("/job/step", v2(job__cpu="max 100000", job_step__cpu="300000 100000",
                         job__memory="9000000", job_step__memory="5000000"), 3.0, 5 * 10**6),
        # of another group, and a damaged file
        ("/job", v2(other__cpu="100000 100000", other__memory="5"), None, None),
        ("/job", v2(job__cpu="rubbish", job__memory=""), None, None),
        # outside of what the namespace shows
        ("/../../job", v2(__cpu="100000 100000"), 1.0, None),
    ],
)  # fmt: skip
def test_version_2(machine, group, files, cores, memory):
    found = machine(f"0::{group}\n", V2, files)
    assert (found.cores, found.memory) == (cores, memory)


def v1(group, quota, period, limit):
    cpu, memory = f"sys/fs/cgroup/cpu,cpuacct{group}", f"sys/fs/cgroup/memory{group}"
    return {
        f"{cpu}/cpu.cfs_quota_us": f"{quota}\n", f"{cpu}/cpu.cfs_period_us": f"{period}\n",
        f"{memory}/memory.limit_in_bytes": f"{limit}\n",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("top", "files", "cores", "memory"),
    [
        ("/", v1("/slurm/job/step", -1, 100000, NONE), None, None),
        ("/", {**v1("/slurm/job/step", -1, 100000, NONE),
               **v1("/slurm/job", 800000, 100000, 4 * 10**9)}, 8.0, 4 * 10**9),
        ("/", {**v1("/slurm/job/step", 100000, 50000, 10**9),
               **v1("/slurm/job", 800000, 100000, 4 * 10**9)}, 2.0, 10**9),
        # a container that sees its own group as the top: by the machine's name, or by none
        ("/slurm/job/step", v1("", 250000, 100000, 3 * 10**9), 2.5, 3 * 10**9),
        ("/docker/abc", v1("", 250000, 100000, 3 * 10**9), 2.5, 3 * 10**9),
    ],
)  # fmt: skip
def test_version_1(machine, top, files, cores, memory):
    groups = "".join(
        f"{i}:{control}:/slurm/job/step\n"
        for i, control in enumerate(["devices", "memory", "cpu,cpuacct", "name=systemd"])
    )
    found = machine(groups, V1.format(top=top), files)
    assert (found.cores, found.memory) == (cores, memory)


def test_both_versions_at_once(machine):
    """As systemd's hybrid layout has them: version 2 without controllers."""
    unified = V2.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
    groups = "4:memory:/a\n1:cpu,cpuacct:/\n0::/a\n"
    found = machine(groups, V1.format(top="/") + unified, v1("/a", -1, 100000, 7 * 10**9))
    assert found == Limits(None, 7 * 10**9, None)


def test_memory_in_use_is_of_the_limiting_group_without_cached_files(machine):
    files = {
        **v2(job__memory="1000", job_step__memory="5000"),
        "sys/fs/cgroup/job/memory.current": "900\n",
        "sys/fs/cgroup/job/memory.stat": "anon 1\ninactive_file 300\nactive_file 7\n",
        "sys/fs/cgroup/job/step/memory.current": "100\n",
    }
    assert machine("0::/job/step\n", V2, files) == Limits(None, 1000, 600)


def test_names_with_spaces_and_colons(machine):
    mounts = V2.replace("/sys/fs/cgroup", r"/my\040groups")
    files = {"my groups/a:b/cpu.max": "300000 100000"}
    assert machine("0::/a:b\n", mounts, files).cores == 3.0
