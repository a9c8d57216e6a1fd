"""An operator's shell beside databases that are there: what it names, and the KEK's file."""

from pathlib import Path

import pytest

from deploy.dsns import Dsns
from members.kek import Kek


@pytest.fixture
def kek(tmp_path: Path) -> Kek:
    """The KEK in the file where the settings have it."""
    return Kek.load_or_create(tmp_path / "keys" / "kek")


@pytest.fixture
def settings(dsns: Dsns, tmp_path: Path) -> dict[str, object]:
    """Settings by which every command reaches this test's databases."""
    return {
        "data_dir": tmp_path,
        "main_dsn": dsns.main,
        "main_tracker_dsn": dsns.main_tracker,
        "main_pages_dsn": dsns.main_pages,
        "main_inbound_dsn": dsns.main_inbound,
        "members_dsn": dsns.members,
        "members_stops_dsn": dsns.members_stops,
        "members_pages_dsn": dsns.members_pages,
        "metrics_port": 0,
    }
