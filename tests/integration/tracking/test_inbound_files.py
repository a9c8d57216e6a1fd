"""Mail that arrived elsewhere, read out of files by the command."""

import mailbox
from pathlib import Path

import asyncpg
import orjson
import pytest

from core.errors import InvalidInput
from core.ids import IdSource
from core.settings import load
from deploy.dsns import Dsns
from deploy.wiring.inbound import kept_mail, read_files
from tests.integration.tracking.test_inbound_killed import KEYS
from tests.support.inbound import LETTER, address, arf, dsn
from tests.support.runs import Run, make_run
from tracking import tallies


async def counted(main: asyncpg.Pool, run: Run) -> dict[tuple[str, str], tuple[int, int]]:
    return {(t.kind, t.detail): (t.total, t.people) for t in await tallies.read(main, [run.run_id])}


def to(recipient: str, message: bytes, *, sender: str = "") -> bytes:
    return f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n".encode() + message


async def test_messages_mboxes_and_maildirs_are_read_as_often_as_one_likes(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource, tmp_path: Path
) -> None:
    run = await make_run(main, new_id, recipients=9)
    keys = tmp_path / "links"
    keys.write_bytes(orjson.dumps(KEYS))
    keys.chmod(0o600)
    settings = load(data_dir=tmp_path, main_inbound_dsn=dsns.main_inbound, link_key_file=keys)
    (tmp_path / "one.eml").write_bytes(to(address(run, 1), dsn()))
    box = mailbox.mbox(tmp_path / "box")
    box.add(to(address(run, 2), dsn(mark="2")))
    box.add(to(address(run, 3, "unsubscribe"), LETTER, sender="taro@example.com"))
    box.add(to(address(run, 4, "reply"), LETTER, sender="taro@example.com"))
    box.close()
    maildir = mailbox.Maildir(tmp_path / "maildir")
    maildir.add(arf(f"List-Unsubscribe: <mailto:{address(run, 5, 'unsubscribe')}>"))
    maildir.add(b"From: MAILER-DAEMON@mx.example.com\r\n" + dsn(mark="nobody"))
    maildir.add(LETTER)
    paths = [tmp_path / "one.eml", tmp_path / "box", tmp_path / "maildir"]
    read = await read_files(settings, paths)
    assert read == {"bounce": 2, "unsubscribe": 1, "complaint": 1, "ignored": 2, "kept": 1}
    assert [mail.why for mail in kept_mail(settings).all()] == ["no_token"]
    figures = {("bounce", "hard"): (2, 2), ("unsubscribe", ""): (1, 1), ("complaint", ""): (1, 1)}
    assert await counted(main, run) == figures
    again = await read_files(settings, [*paths, tmp_path / "maildir"])
    assert again == {"repeated": 5, "ignored": 3, "kept": 2}
    assert await counted(main, run) == figures
    assert len(list(kept_mail(settings).all())) == 1
    with pytest.raises(InvalidInput, match="Not all"):
        await read_files(settings, [tmp_path / "nowhere"])
