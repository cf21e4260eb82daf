"""The node: when one that runs has to be started anew."""

import os
from pathlib import Path

import pytest

from local import node


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the state of a node that runs, as this very process, and was started with what is there."""
    monkeypatch.setattr(node, "STATE", tmp_path)
    monkeypatch.setattr(node, "STARTED", tmp_path / "node.started")
    monkeypatch.setattr(node, "PID_FILE", tmp_path / "node.pid")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "kubelet.yaml").write_text("failSwapOn: false\n")
    (tmp_path / "node.pid").write_text(f"{os.getpid()} {node._started(os.getpid())}\n")
    (tmp_path / "node.started").write_text(node.configuration(tmp_path))
    return tmp_path


def test_a_node_that_was_started_with_what_is_there_now_goes_on(state: Path) -> None:
    assert not node.outdated()


def test_a_changed_file_makes_a_running_node_outdated(state: Path) -> None:
    (state / "config" / "kubelet.yaml").write_text("failSwapOn: true\n")
    assert node.outdated()


def test_a_changed_layout_makes_a_running_node_outdated(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "layout", lambda _: ["true"])
    assert node.outdated()


def test_a_node_of_a_version_that_did_not_note_what_it_started_with_is_outdated(state: Path) -> None:
    (state / "node.started").unlink()
    assert node.outdated()


def test_what_does_not_run_is_not_outdated(state: Path) -> None:
    (state / "node.pid").unlink()
    (state / "config" / "kubelet.yaml").write_text("failSwapOn: true\n")
    assert not node.outdated()


def test_all_pods_together_weigh_more_than_one_thread_of_the_machine(tmp_path: Path) -> None:
    for name, default in (("cpu.shares", 1024), ("cpu.weight", 100)):
        group = tmp_path / name
        group.mkdir()
        (group / name).write_text(str(default))
        node.give_shares(group, node.POD_SHARES)
        assert int((group / name).read_text()) == 8 * default


def test_a_hierarchy_without_shares_gets_none(tmp_path: Path) -> None:
    node.give_shares(tmp_path, node.POD_SHARES)
    assert list(tmp_path.iterdir()) == []
