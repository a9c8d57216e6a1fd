"""Reads the handbook for the tests that hold it to the code: tables, headings, commands in its examples."""

import importlib
import pkgutil
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from deploy.cli import app

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PACKAGES = ("core", "members", "delivery", "tracking", "scheduler", "api", "deploy")

_ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)
_CELL = re.compile(r"(?<!\\)\|")
_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_PLAIN_OPTIONS = {"-sS", "-i"}
_OPTIONS = {"-H", "-d", "-F", "-X", "-o"}


@dataclass(frozen=True, slots=True)
class Curl:
    """One request that a page shows."""

    page: str
    method: str
    url: str
    body: str | None


def page(name: str) -> str:
    """Return a page's source."""
    return (DOCS / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """Return the rows of all tables as cells, heads too."""
    found = [[cell.strip() for cell in _CELL.split(row)] for row in _ROW.findall(text)]
    return [row for row in found if set("".join(row)) != {"-"}]


def code(cell: str) -> str:
    """Return what stands between backquotes, or the cell itself."""
    found = re.fullmatch(r"`([^`]+)`", cell)
    return found[1] if found else cell


def headings(text: str) -> list[str]:
    """Return the headings, without their marks and backquotes."""
    return [found.replace("`", "") for found in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no heading {heading}"
    return found[1]


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of one language."""
    return [content for _, found, content in _BLOCK.findall(text) if found == language]


def shown_requests() -> Iterator[Curl]:
    """Every request to the API that README, tutorial and how-to show."""
    for path in (ROOT / "README.md", DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))):
        for block in blocks(path.read_text(encoding="utf-8"), "sh"):
            yield from _requests(path.name, shlex.split(block.replace("\\\n", " "), comments=True))


def _requests(name: str, words: list[str]) -> Iterator[Curl]:
    while words:
        if not words.pop(0).endswith("curl"):
            continue
        method, body = "", None
        while words[0].startswith("-"):
            option = words.pop(0)
            if option in _PLAIN_OPTIONS:
                continue
            assert option in _OPTIONS, f"{name}: curl {option}"
            value = words.pop(0)
            if option == "-X":
                method = value
            elif option == "-d":
                method, body = method or "POST", value
            elif option == "-F":
                method = "POST"
        if words[0].startswith("$U"):
            yield Curl(name, method or "GET", words[0], body)


def import_everything() -> None:
    """Import every module of ours, so that all that registers itself has done so."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)


def commands() -> dict[str, Any]:
    """Return every command of `todoku` by its words: "api-keys create"."""
    found: dict[str, Any] = {}
    waiting = [("", typer.main.get_command(app))]
    while waiting:
        words, node = waiting.pop()
        below = getattr(node, "commands", {})
        waiting += [(f"{words} {name}".strip(), child) for name, child in below.items()]
        if not below or getattr(node, "invoke_without_command", False):
            found[words] = node
    return found
