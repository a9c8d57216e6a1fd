"""The house rules that no linter knows, held by reading the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import sql

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "members", "delivery", "tracking", "scheduler", "api", "deploy")
CORE = {
    "__init__", "audit", "clock", "database", "errors", "ids", "locked_file", "logs", "metrics", "migrations", "outbox",
    "settings", "sql", "tokens", "ways_out",
}  # fmt: skip
MOST_LINES = 300


def sources(*packages: str) -> Iterator[Path]:
    for package in packages or PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def offenders(pattern: str, *, allowed: set[str]) -> list[str]:
    found = []
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        if name not in allowed and re.search(pattern, path.read_text(encoding="utf-8")):
            found.append(name)
    return found


def test_core_is_a_closed_list() -> None:
    assert {path.stem for path in (ROOT / "core").glob("*.py")} == CORE


def test_only_the_settings_read_the_environment() -> None:
    assert offenders(r"\bos\.(environ|getenv|getenvb)\b", allowed={"core/settings.py"}) == []


def test_only_the_clock_reads_the_time() -> None:
    pattern = r"\btime\.(time|monotonic|perf_counter)(_ns)?\(|\bdatetime\.(now|utcnow|today)\(|\bdate\.today\("
    assert offenders(pattern, allowed={"core/clock.py"}) == []


def test_sql_stands_in_sql_files() -> None:
    keyword = re.compile(
        r"^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE|ALTER|DROP|GRANT|COPY)\s+[\w*(]", re.ASCII
    )
    found = []
    for path in sources():
        found += [
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and keyword.match(node.value)
        ]
    assert found == []


def test_every_statement_is_used_and_every_use_has_a_statement() -> None:
    for path in sorted(ROOT.rglob("*.sql")):
        if "schema" in path.parts or ".venv" in path.parts:
            continue
        names = set(sql.parse(path.read_text(encoding="utf-8")))
        text = "\n".join(
            source.read_text(encoding="utf-8")
            for source in path.parent.glob("*.py")
            if f'"{path.name}"' in source.read_text(encoding="utf-8")
        )
        assert text, f"nobody loads {path.name}"
        unused = {name for name in names if f'"{name}"' not in text}
        assert not unused, f"{path.relative_to(ROOT)}: {unused}"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_file_stays_small_and_says_what_it_is_for(package: str) -> None:
    for path in sources(package):
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= MOST_LINES, path
        if text.strip():
            assert ast.get_docstring(ast.parse(text)), f"{path} does not say what it is for"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-demo.lock"])
def test_no_registry_address_stands_in_a_lock(lock: str) -> None:
    assert "://" not in (ROOT / lock).read_text(encoding="utf-8")


def test_the_demo_installs_a_part_of_what_the_tests_run_with() -> None:
    locked, demo = (_locked(ROOT / name) for name in ("requirements.lock", "requirements-demo.lock"))
    assert demo.items() < locked.items(), "make lock"


def _locked(path: Path) -> dict[str, frozenset[str]]:
    """Return the hashes of each `name==version` that a lock names."""
    found: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word = line.strip().split(" ", 1)[0]
        if "==" in word:
            hashes = found.setdefault(word, set())
        elif word.startswith("--hash="):
            hashes.add(word)
    return {name: frozenset(hashes) for name, hashes in found.items()}
