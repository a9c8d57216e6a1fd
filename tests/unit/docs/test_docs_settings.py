import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from core.settings import Settings
from core.ways_out import DirectSettings, RelaySettings
from tests.unit.docs.reading import code, page, rows, section

MADE = {"data_dir": "$XDG_DATA_HOME/todoku", "workers": "number of cores"}
NOTHING = "–"  # noqa: RUF001 - a dash for no default


def shown(name: str, field: FieldInfo) -> str:
    if name in MADE:
        return MADE[name]
    default: Any = field.get_default(call_default_factory=True)
    if field.is_required() or default in (None, "", (), {}):
        return NOTHING
    if isinstance(default, tuple):
        return ", ".join(f"`{one}`" for one in default)
    return f"{default:g}" if isinstance(default, float) else str(default)


def defaults(model: type[BaseModel]) -> dict[str, str]:
    return {name: shown(name, field) for name, field in model.model_fields.items()}


def test_every_setting_is_described_with_its_default_and_no_other() -> None:
    described = {
        code(name).removeprefix("TODOKU_").lower(): code(default)
        for name, default, *_ in rows(page("reference/settings.md"))
        if name.startswith("`TODOKU_")
    }
    assert described == defaults(Settings)


def test_every_field_of_a_relay_is_described_with_its_default() -> None:
    table = rows(section(page("reference/settings.md"), "A relay"))[1:]
    assert {code(name): code(default) for name, default, _ in table} == defaults(RelaySettings)


def test_every_field_of_a_direct_source_is_described_with_its_default() -> None:
    table = rows(section(page("reference/settings.md"), "A direct source"))[1:]
    assert {code(name): code(default) for name, default, _ in table} == defaults(DirectSettings)


def test_the_default_data_directory_is_what_the_reference_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("TODOKU_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    assert Settings().data_dir == Path("/xdg/todoku")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert Settings().data_dir == Path.home() / ".local/share/todoku"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert Settings().data_dir == Path("/var/lib/todoku")
