from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import ConfigurationError
from core.settings import Settings
from deploy import databases
from deploy import dsns as dsns_file
from deploy.dsns import Dsns

NAMES = ("main", "main_tracker", "main_pages", "main_inbound", "members", "members_stops", "members_pages")
ALL = {f"{name}_dsn": SecretStr(name) for name in NAMES}


def test_without_any_dsn_the_embedded_server_is_used(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert databases.are_embedded(settings)
    with pytest.raises(ConfigurationError, match="todoku up"):
        databases.dsn(settings, "main")
    dsns_file.save(Dsns("a", "b", "c", "d", "e", "f", "g", "h", "i"), databases.postgres_directory(settings))
    assert databases.dsn(settings, "main") == "b"


def test_a_forgotten_dsn_is_named(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, main_dsn=SecretStr("x"))
    named = ", ".join(f"TODOKU_{name.upper()}_DSN" for name in NAMES[1:])
    with pytest.raises(ConfigurationError, match=named):
        databases.given(settings)
    with pytest.raises(ConfigurationError, match="TODOKU_MEMBERS_DSN"):
        databases.dsn(settings, "members")


def test_running_needs_no_owner_and_migrating_does(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, **ALL)  # type: ignore[arg-type]
    assert databases.given(settings) == Dsns("", *NAMES[:4], "", *NAMES[4:])
    with pytest.raises(ConfigurationError, match="TODOKU_MAIN_OWNER_DSN"):
        databases.owners(settings)
