"""The KEK is exchanged by `todoku keys rewrap`: afterwards the new one opens everything, and the old one nothing."""

import base64
import os
import sys
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from api.idempotency import Answer, Claim, IdempotencyStore, Known
from core.errors import ConfigurationError, Tampered
from core.ids import IdSource
from delivery.senders import SenderDraft, SenderStore
from deploy.accounts import create_account
from members.kek import CommandKek, Kek, KekProvider
from members.keyring import KeyRings
from members.members import MemberStore
from members.resealing import reseal
from members.rotation import Rotation
from tests.support.command_line import todoku

DRAFT = SenderDraft("店", "shop@example.jp", "東京都", "info@example.jp")


@pytest.fixture
def old(kek: Kek) -> Kek:
    return kek


class Sealed:
    """One of each thing that the KEK opens."""

    def __init__(self, main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource) -> None:
        self.main, self.vault, self.new_id = main, vault, new_id

    async def make(self, kek: Kek) -> None:
        self.account: UUID = (await create_account(self.main, self.vault, kek, self.new_id, "default")).account_id
        await MemberStore(self.vault, KeyRings(self.vault, kek), self.new_id).create(self.account, "taro@example.jp")
        await SenderStore(self.main, kek, self.new_id).create(self.account, DRAFT)
        answers = IdempotencyStore(self.main, kek)
        claim = await answers.claim(self.account, "once", b"print")
        assert isinstance(claim, Claim)
        await answers.keep(claim, b"print", Answer(201, {}, b"made"))

    async def opens(self, kek: KekProvider) -> None:
        members = MemberStore(self.vault, KeyRings(self.vault, kek), self.new_id)
        assert (await members.by_address(self.account, "taro@example.jp")).address == "taro@example.jp"
        await SenderStore(self.main, kek, self.new_id).signer_for(self.account, "example.jp")
        known = await IdempotencyStore(self.main, kek).claim(self.account, "once", b"print")
        assert isinstance(known, Known)
        assert known.answer.body == b"made"

    async def is_closed_to(self, kek: KekProvider) -> None:
        with pytest.raises(ConfigurationError, match="KEK in use"):
            await KeyRings(self.vault, kek).ring(self.account)
        with pytest.raises(Tampered):
            await SenderStore(self.main, kek, self.new_id).signer_for(self.account, "example.jp")
        with pytest.raises(Tampered):
            await IdempotencyStore(self.main, kek).claim(self.account, "once", b"print")


async def test_a_new_key_takes_over_all_that_the_old_one_opened(
    old: Kek, settings: dict[str, object], main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource
) -> None:
    sealed = Sealed(main, vault, new_id)
    await sealed.make(old)
    # A version that was destroyed stays destroyed.
    rotation = Rotation(vault, old, os.urandom)
    await rotation.add(sealed.account, "index")
    await rotation.promote(sealed.account, "index")
    await reseal(vault, KeyRings(vault, old), sealed.account, lambda: True)
    await rotation.retire(sealed.account, "index")
    await sealed.opens(old)
    new = Kek(bytes(range(32)))
    settings |= {
        "kek": "todoku-kek-1:" + base64.b64encode(bytes(range(32))).decode(),
        "previous_kek_file": Path(str(settings["data_dir"])) / "keys" / "kek",
    }
    await sealed.is_closed_to(new)
    for _ in range(2):
        done = todoku("keys", "rewrap", **settings)
        assert done.returncode == 0, done.stderr
    assert "0 keys of accounts" in done.stdout
    assert await vault.fetchval("SELECT wrapped FROM keys.ring WHERE state = 'retired'") == b""
    await sealed.is_closed_to(old)
    await sealed.opens(new)
    assert "primary" in todoku("keys", "list", **settings).stdout


async def test_a_command_can_keep_the_key_of_an_installation(
    old: Kek, settings: dict[str, object], main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    sealed = Sealed(main, vault, new_id)
    await sealed.make(old)
    tool = tmp_path / "kms.py"
    tool.write_text(
        "import base64, sys\n"
        "given = b'' if sys.argv[1] == 'fingerprint' else base64.b64decode(sys.stdin.readline())\n"
        "if sys.argv[1] == 'unwrap' and given[:3] != b'kms': sys.exit(1)\n"
        "mask = lambda text: bytes(byte ^ 85 for byte in text)\n"
        "print('kms-1' if sys.argv[1] == 'fingerprint' else base64.b64encode(\n"
        "    b'kms' + mask(given) if sys.argv[1] == 'wrap' else mask(given[3:])).decode())\n"
    )
    settings |= {
        "kek_command": f'["{sys.executable}", "{tool}"]',
        "previous_kek_file": tmp_path / "keys" / "kek",
    }
    done = todoku("keys", "rewrap", **settings)
    assert done.returncode == 0, done.stderr
    await sealed.is_closed_to(old)
    await sealed.opens(await CommandKek.opened([sys.executable, str(tool)]))
    del settings["previous_kek_file"]
    assert todoku("accounts", "create", "ACME", **settings).returncode == 0
    assert await vault.fetchval("SELECT array_agg(DISTINCT kek_fingerprint) FROM keys.ring") == ["kms-1"]


def test_without_the_previous_key_nothing_is_rewrapped(old: Kek, settings: dict[str, object]) -> None:
    assert old.fingerprint
    done = todoku("keys", "rewrap", **settings)
    assert done.returncode == 2
    assert "TODOKU_PREVIOUS_KEK_FILE" in done.stderr


def test_a_key_in_two_places_is_refused(settings: dict[str, object]) -> None:
    done = todoku("keys", "list", **settings, kek="todoku-kek-1:AAAA", kek_command='["/bin/false"]')
    assert done.returncode == 2
    assert "only one" in done.stderr
    assert "AAAA" not in done.stderr
