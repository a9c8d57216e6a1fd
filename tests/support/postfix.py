"""A real Postfix on loopback (Debian's package, started by root), with nothing of the system's.

Its configuration, queue, log and mailboxes are in a directory of its own. What it delivers lands in one maildir, where
`delivered` reads it back without the fields that Postfix puts on top of a message.
"""

import asyncio
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from deploy.ports import LOOPBACK, free_port
from tests.support.waiting import eventually

DAEMONS = Path("/usr/lib/postfix/sbin")
NOBODY = 65534
_PRIVATE = [
    "active",
    "bounce",
    "corrupt",
    "defer",
    "deferred",
    "flush",
    "hold",
    "incoming",
    "private",
    "saved",
    "trace",
]
_ON_TOP = re.compile(rb"(?:Return-Path|X-Original-To|Delivered-To|Received):.*\n(?:[ \t].*\n)*")
_DELIVERED_TO = re.compile(rb"^Delivered-To: (.+)\n", re.MULTILINE)
_SESSION_END = re.compile(r"disconnect from unknown\[127\.0\.0\.1\] (.*)")

_MASTER = """\
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_tls_security_level=encrypt
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

_MAIN: Mapping[str, str] = {
    "compatibility_level": "3.6",
    "daemon_directory": str(DAEMONS),
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "inet_interfaces": LOOPBACK,
    "inet_protocols": "ipv4",
    "myhostname": "mx.postfix.example",
    "mydestination": "",
    "alias_maps": "",
    "alias_database": "",
    "smtpd_peername_lookup": "no",
    "in_flow_delay": "0",
    # Clients at loopback are strangers to it: nothing is allowed them for where they are.
    "mynetworks": "192.0.2.1/32",
    # The strictest that it knows: no bare LF, and no command ahead of its time.
    "smtpd_forbid_bare_newline": "reject",
    "smtpd_forbid_unauth_pipelining": "yes",
    # Every mailbox is one: who a message is for stands in its Delivered-To.
    "virtual_mailbox_maps": "static:all/",
    "virtual_mailbox_limit": "0",
    "virtual_uid_maps": f"static:{NOBODY}",
    "virtual_gid_maps": f"static:{NOBODY}",
    "bounce_notice_recipient": "postmaster@postfix.example",
    "notify_classes": "",
}

RELAY: Mapping[str, str] = {
    "default_transport": "virtual",
    "mynetworks": "127.0.0.0/8",
    "smtpd_forbid_bare_newline_exclusions": "",
}
"""Takes mail for everyone from this machine, as a company's relay does."""


def receiver(*domains: str) -> Mapping[str, str]:
    """Return the settings of the final server of some domains."""
    return {"virtual_mailbox_domains": ", ".join(domains), "smtpd_relay_restrictions": "reject_unauth_destination"}


@dataclass(frozen=True)
class Delivered:
    """A message as it lies in a mailbox, as it was sent to Postfix: `message` has its CRLFs again."""

    recipient: str
    message: bytes


@dataclass
class Postfix:
    directory: Path
    port: int
    tls_port: int
    pid: int = 0

    def reload(self) -> None:
        """Have every process read its settings and files anew, before its next client."""
        os.kill(self.pid, signal.SIGHUP)

    def table(self, name: str, *lines: str) -> str:
        """Write a table of regular expressions, or write it anew; what to call it in a setting.

        A process that has one open notices a change before its next client.
        """
        path = self.directory / name
        path.with_suffix(".draft").write_text("".join(f"{line}\n" for line in lines))
        path.with_suffix(".draft").replace(path)
        return f"regexp:{path}"

    def delivered(self) -> list[Delivered]:
        return [_read(path.read_bytes()) for path in (self.directory / "mail" / "all" / "new").glob("*")]

    async def holds(self, count: int, *, within: float = 60) -> list[Delivered]:
        """Wait for so many messages in the mailbox; all that are there."""

        async def there() -> bool:
            return len(list((self.directory / "mail" / "all" / "new").glob("*"))) >= count

        await eventually(there, within=within)
        return self.delivered()

    @property
    def log(self) -> str:
        path = self.directory / "mail.log"
        return path.read_text() if path.exists() else ""

    def sessions(self) -> Iterator[dict[str, str]]:
        """Return what each session that has ended said of itself: commands, as "taken" or "taken/said"."""
        for ended in _SESSION_END.finditer(self.log):
            yield dict(one.split("=", 1) for one in ended[1].split())


@contextmanager
def _directory() -> Iterator[Path]:
    """Lay out a directory that Postfix' user can reach, as its `check` would."""
    made = Path(tempfile.mkdtemp(prefix="todoku-postfix-"))
    try:
        made.chmod(0o711)
        queue = made / "queue"
        for name in ("", "pid"):
            (queue / name).mkdir(mode=0o755)
        for name in _PRIVATE:
            (queue / name).mkdir(mode=0o700)
            shutil.chown(queue / name, "postfix")
        for name, mode in (("public", 0o710), ("maildrop", 0o730)):
            (queue / name).mkdir()
            shutil.chown(queue / name, "postfix", "postdrop")
            (queue / name).chmod(mode)
        for name, owner in (("data", "postfix"), ("mail", NOBODY)):
            (made / name).mkdir(mode=0o700)
            shutil.chown(made / name, owner)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@asynccontextmanager
async def running_postfix(
    settings: Mapping[str, str], *, tables: Mapping[str, Sequence[str]] | None = None, certificate: Path | None = None
) -> AsyncIterator[Postfix]:
    """A Postfix with `settings`, in which "{name}" stands for one of `tables`; ended with all its processes."""
    with _directory() as directory:
        made = Postfix(directory, free_port(), free_port())
        named = {name: made.table(name, *lines) for name, lines in (tables or {}).items()}
        chosen = {
            **_MAIN,
            "queue_directory": str(directory / "queue"),
            "data_directory": str(directory / "data"),
            "virtual_mailbox_base": str(directory / "mail"),
            "maillog_file": str(directory / "mail.log"),
            "maillog_file_prefixes": str(directory),
            **({"smtpd_tls_chain_files": str(certificate), "smtpd_tls_security_level": "may"} if certificate else {}),
            **{name: value.format(**named) for name, value in settings.items()},
        }
        (directory / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in chosen.items()))
        (directory / "master.cf").write_text(_MASTER.format(smtp=made.port, smtps=made.tls_port))
        master = _started(directory)
        made.pid = master.pid
        try:
            await eventually(lambda: _greets(made.port, master))
            yield made
        finally:
            await asyncio.to_thread(_stop, master)


def _started(directory: Path) -> "Popen[bytes]":
    # In a session of its own: when it ends it signals its whole process group.
    return Popen([DAEMONS / "master", "-c", directory, "-d"], start_new_session=True)


def _stop(master: "Popen[bytes]") -> None:
    master.terminate()
    try:
        master.wait(10)
    finally:
        # Its logger outlives it for a moment, to write down how the others ended.
        with suppress(ProcessLookupError):
            os.killpg(master.pid, signal.SIGKILL)
        master.wait()


async def _greets(port: int, master: "Popen[bytes]") -> bool:
    assert master.poll() is None, "Postfix has ended at once"
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except ConnectionRefusedError:
        return False
    greeting = await reader.readline()
    writer.close()
    return greeting.startswith(b"220 ")


def _read(raw: bytes) -> Delivered:
    found = _DELIVERED_TO.search(raw)
    assert found is not None
    at = 0
    while on_top := _ON_TOP.match(raw, at):
        at = on_top.end()
    return Delivered(found[1].decode(), raw[at:].replace(b"\n", b"\r\n"))
