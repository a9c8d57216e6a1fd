from pathlib import Path
from uuid import UUID

import pytest

from core.errors import ConfigurationError, Conflict, NotFound, Tampered
from core.tokens import SLOT_OPEN
from deploy import private_file
from deploy.keys import Versions, load_link_keys, load_or_create_signer, load_signer, save

RUN = UUID(int=7)


def test_the_first_start_makes_a_private_file_and_later_ones_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "links"
    token = load_or_create_signer(path).mint(RUN, 1, [SLOT_OPEN])[0]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert load_or_create_signer(path).open(token) == load_signer(path).open(token)


def test_a_file_that_group_or_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "links"
    load_or_create_signer(path)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_or_create_signer(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="links"):
        load_signer(tmp_path / "links")


def test_keys_are_exchanged_and_links_of_an_older_version_still_open(tmp_path: Path) -> None:
    path = tmp_path / "links"
    token = load_or_create_signer(path).mint(RUN, 1, [SLOT_OPEN])[0]
    save(path, load_link_keys(path).added(b"A" * 32))
    assert load_signer(path).mint(RUN, 1, [SLOT_OPEN]) == [token]
    save(path, load_link_keys(path).promoted())
    signer = load_signer(path)
    assert signer.open(token).run_id == RUN
    assert signer.mint(RUN, 1, [SLOT_OPEN]) != [token]
    assert path.stat().st_mode & 0o777 == 0o600
    save(path, load_link_keys(path).without(1))
    with pytest.raises(Tampered):
        load_signer(path).open(token)


def test_a_version_that_makes_or_is_not_there_is_not_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "links"
    load_or_create_signer(path)
    versions = load_link_keys(path)
    with pytest.raises(Conflict):
        versions.without(1)
    with pytest.raises(NotFound):
        versions.without(2)
    with pytest.raises(Conflict):
        Versions({255: b"A" * 32}, 255).added(b"B" * 32)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"primary": 1, "keys": {"1": "c2hvcnQ="}}',
        b'{"primary": 2, "keys": {"1": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}',
        b'{"primary": 1, "keys": {"1": "?"}}',
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused_without_being_quoted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "links"
    private_file.write(path, content)
    with pytest.raises(ConfigurationError) as caught:
        load_signer(path)
    assert "c2hvcnQ" not in str(caught.value)


def test_of_two_first_starts_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert private_file.create(path, b"first")
    assert not private_file.create(path, b"second")
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
