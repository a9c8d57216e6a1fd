"""What the embedded server keeps pages in follows from the machine's memory, or the container's."""

from pathlib import Path

import pytest

from deploy.postgres.memory import shared_buffers


@pytest.mark.parametrize(
    ("limit", "expected"), [("1073741824\n", "256MB"), ("4294967296\n", "512MB"), ("nonsense\n", None), ("max\n", None)]
)
def test_an_eighth_of_a_containers_memory_is_kept_and_without_a_limit_of_the_machines(
    tmp_path: Path, limit: str, expected: str | None
) -> None:
    told = tmp_path / "memory.max"
    told.write_text(limit)
    assert shared_buffers(told) == (expected or shared_buffers(tmp_path / "none"))


def test_the_share_is_bounded(tmp_path: Path) -> None:
    assert 256 <= int(shared_buffers(tmp_path / "none").removesuffix("MB")) <= 8192
