"""Whether this is a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.place.container import is_container


@pytest.mark.parametrize("name", [".dockerenv", "run/.containerenv"])
def test_by_the_file_of_docker_or_podman(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert is_container({}, tmp_path)


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("0::/kubepods.slice/pod1", True),
        ("12:memory:/docker/0123", True),
        ("0::/system.slice/shop.service", False),
    ],
)
def test_by_the_control_group(group: str, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"{group}\n")
    assert is_container({}, tmp_path) is expected


def test_by_the_variable_of_kubernetes(tmp_path: Path) -> None:
    assert is_container({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, tmp_path)
    assert not is_container({}, tmp_path)
