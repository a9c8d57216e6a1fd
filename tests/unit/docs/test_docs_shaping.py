from delivery.shaping import load
from tests.unit.docs.reading import code, page, rows, section

NOTHING = "–"  # noqa: RUF001 - a dash for no rate


def test_the_table_of_providers_is_what_the_rule_file_says() -> None:
    shaping = load()
    described = {
        code(name): (mx, int(connections), rate, int(messages), tls)
        for name, mx, connections, rate, messages, tls in rows(section(page("reference/shaping.md"), "Providers"))[1:]
    }
    assert described == {
        name: (
            ", ".join(shaping.suffixes(name)),
            limits.connections,
            NOTHING if limits.rate is None else f"{limits.rate:g}/s",
            limits.messages_per_connection,
            limits.tls,
        )
        for name, limits in shaping.providers.items()
    }


def test_every_response_rule_is_described_and_no_other() -> None:
    shaping = load()
    described = {code(name): judges for name, judges, _ in rows(section(page("reference/shaping.md"), "The rules"))[1:]}
    assert described == {
        rule.name: ", ".join(name for name in shaping.providers if name in rule.providers) or "everyone"
        for rule in shaping.rules
    }
