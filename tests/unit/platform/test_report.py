"""What people are shown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local import pulumi_home, report, stack
from local.errors import PlatformError
from local.progress import elapsed, wait_for
from local.toolchain import Toolchain


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.42, "0.4 s"), (12.4, "12 s"), (185.2, "3 min 05 s"), (59.7, "1 min 00 s")]
)
def test_elapsed_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert elapsed(seconds) == said


def test_a_wait_that_ends_names_what_it_waited_for_and_where_to_look() -> None:
    with pytest.raises(PlatformError, match=r"The harvest did not happen within 0 s\. Look into the barn\."):
        wait_for("The harvest", lambda: False, seconds=0, see="the barn")


def test_the_salt_is_taken_out_of_a_stacks_yaml_unless_it_is_needed_there() -> None:
    plain = "config:\n  cloudnative:environment: dev\n"
    secret = "config:\n  cloudnative:registryPassword:\n    secure: v1:abc\n"
    salt = "encryptionsalt: v1:def\n"
    assert stack.without_salt(plain + salt) == plain
    assert stack.without_salt(secret + salt) == secret + salt
    assert stack.without_salt(plain) == plain


def test_targets_are_counted_by_health() -> None:
    answer = {"data": {"activeTargets": [{"health": "up"}, {"health": "down"}, {"health": "unknown"}]}}
    assert stack.targets_up(answer) == (1, 3)


def test_a_process_tree_holds_its_children() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        pids = report.tree(os.getpid())
        assert pids[0] == os.getpid()
        assert child.pid in pids
        assert report.resident([child.pid]) > 0
    finally:
        child.communicate()


def test_the_environment_puts_the_platforms_tools_first_and_each_folder_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/opt/kubernetes")
    names = {"kubectl": "kubernetes", "buildctl": "buildkit", "promtool": "prometheus"}
    tools = Toolchain({name: Path("/opt", folder, name) for name, folder in names.items()})
    path = pulumi_home.environment(tools)["PATH"].split(":")
    assert path[0] == str(pulumi_home.home() / "bin")
    assert path[-1] == "/usr/bin"
    assert path.count("/opt/kubernetes") == 1
