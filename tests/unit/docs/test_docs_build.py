import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.docs.reading import DOCS, ROOT

_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_the_handbook_builds_without_a_broken_link_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    for file in tmp_path.rglob("*.html"):
        loaded = re.findall(r"""<(?:script|link|img|iframe)[^>]+(?:src|href)=["'](https?:)?//""", file.read_text())
        assert not loaded, f"{file.name} loads from elsewhere"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_out_of_the_repositorys_own_pages_lead_somewhere(name: str) -> None:
    links = _LINK.findall((ROOT / name).read_text(encoding="utf-8"))
    missing = [link for link in links if not link.startswith("http") and not (ROOT / link).exists()]
    assert not missing


def test_every_page_is_in_the_handbooks_contents() -> None:
    contents = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    assert [name for name in pages if name not in contents] == []


def test_every_decision_is_listed_by_its_title() -> None:
    listed = (DOCS / "decisions" / "index.md").read_text(encoding="utf-8")
    for path in sorted((DOCS / "decisions").glob("0*.md")):
        number, title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").split(" ", 1)
        assert path.name.startswith(number)
        assert f"| [{number}]({path.name}) | {title} |" in listed
