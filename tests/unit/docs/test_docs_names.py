import re
import tomllib
from typing import get_args

from core import outbox
from core.audit import Action
from delivery.compose import bounds
from delivery.compose.filters import FILTERS, LOOP_FACTS, METHODS, TESTS
from delivery.replies.verdict import Reason
from deploy.mailbox.faults import FaultKind
from members.attribute import RESERVED, AttributeType, Protection
from members.imports.compression import COMPRESSIONS
from members.imports.encoding import ENCODINGS
from members.imports.options import Options
from members.rules.operators import TYPES
from scheduler.webhooks import sending
from tests.unit.docs.reading import DOCS, ROOT, code, page, rows, section
from tracking.figures import MEANINGS, RATES
from tracking.verify import LAWS


def words(text: str) -> set[str]:
    bare = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return set(re.findall(r"[a-z0-9_]+", " ".join(re.findall(r"`([^`]+)`", bare))))


def test_every_filter_and_test_of_templates_is_described() -> None:
    text = page("reference/templates.md")
    assert words(section(text, "Filters")) >= set(FILTERS)
    assert words(section(text, "Tests")) >= set(TESTS)
    assert words(section(text, "Statements")) >= set(LOOP_FACTS)
    assert words(section(text, "Expressions")) >= set(METHODS)


def test_the_bounds_of_templates_are_those_of_the_code() -> None:
    table = rows(section(page("reference/templates.md"), "Bounds"))
    most = {what: amount.split()[0].replace(",", "") for what, amount in table if what}
    assert most["source of a part"] == str(bounds.MAX_SOURCE)
    assert most["a rendered part"] == str(bounds.MAX_OUTPUT)
    assert most["a rendered subject"] == str(bounds.MAX_SUBJECT)
    assert most["one value"] == str(bounds.MAX_TEXT)
    assert most["parts of the syntax tree"] == str(bounds.MAX_NODES)
    assert most["levels of the syntax tree"] == str(bounds.MAX_DEPTH)
    assert most["work of loops in one mail"] == str(bounds.MAX_WORK)
    assert most["text computed in one mail"] == str(bounds.MAX_CHARACTERS)


def test_every_type_protection_operator_and_reserved_name_is_described() -> None:
    text = page("reference/attributes-and-rules.md")
    assert words(text) >= {*get_args(AttributeType), *get_args(Protection), *TYPES, *RESERVED}


def test_every_option_of_an_import_is_described() -> None:
    text = page("reference/imports.md")
    described = {code(row[0]) for row in rows(text)}
    assert described >= {"file", "mapping", "consent_source", *Options.__dataclass_fields__}
    assert set(re.findall(r"`([a-z0-9-]+)`", text)) >= {*ENCODINGS, *COMPRESSIONS}


def test_every_reason_and_every_fault_of_the_mailbox_is_described() -> None:
    reasons = words(section(page("reference/reports.md"), "Reasons"))
    assert reasons >= {reason.value for reason in Reason if reason is not Reason.ACCEPTED}
    faults = section(page("reference/files-and-ports.md"), "Faults of the mailbox")
    assert all(f"`{kind.value}" in faults for kind in FaultKind)


def test_every_deed_of_the_audit_log_is_described() -> None:
    assert set(re.findall(r"`([a-z_]+\.[a-z_]+)`", page("how-to/audit.md"))) == set(get_args(Action))


def test_every_law_of_verify_is_described() -> None:
    table = rows(section(page("explanation/exactly-once.md"), "What verify proves"))[1:]
    assert [code(row[0]) for row in table] == list(LAWS)


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def named(requirements: list[str]) -> set[str]:
        return {re.split(r"[<>=\[ ]", one)[0] for one in requirements}

    table = rows((DOCS / "decisions" / "0002-dependencies.md").read_text(encoding="utf-8"))
    assert {row[0] for row in table if len(row) == 2} - {"package"} == named(project["dependencies"])
    for extra, requirements in project["optional-dependencies"].items():
        described = {name for row in table if row[0] == f"`{extra}`" for name in row[1].split(", ")}
        assert described == named(requirements), extra


def test_every_figure_of_the_performance_page_names_its_command() -> None:
    text = page("performance.md")
    figures = re.findall(r"<!-- figure: ([a-z_]+) -->", text)
    assert len(figures) == len(set(figures))
    for row in rows(text):
        assert row[-1] == "command" or row[-1].startswith("`make ")


def test_every_kind_of_notice_and_every_fault_of_a_post_is_described_in_its_own_words() -> None:
    text = page("reference/webhooks.md")
    told = {code(row[0]): row[1:] for row in rows(section(text, "What there is to be told of"))[1:]}
    assert told == {kind: [f"`{about.subject}_…`", about.means] for kind, about in outbox.KINDS.items()}
    faults = {code(row[0]) for row in rows(section(text, "What `fault` says"))[1:]}
    assert faults == {*sending.WORDS.values(), "refused"}


def test_every_figure_and_every_rate_is_described_as_it_is_defined() -> None:
    text = page("reference/reports.md")
    sent = {code(row[0]) for row in rows(section(text, "What became of the recipients"))[1:]}
    came_back = {code(row[0]): row[1] for row in rows(section(text, "What came back"))[1:]}
    assert came_back == {name: MEANINGS[name] for name in came_back}
    assert sent | {*came_back, "snapshot", "failed_by_reason", "suppressed_by_reason"} == set(MEANINGS)
    rates = {code(row[0]): row[1:] for row in rows(section(text, "Rates"))[1:]}
    assert rates == {name: [f"{rate.count} / {rate.of}", rate.means] for name, rate in RATES.items()}
