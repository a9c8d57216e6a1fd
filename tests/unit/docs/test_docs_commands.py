import pytest

from tests.unit.docs.reading import code, commands, headings, page, rows, section

PAGE = page("reference/commands.md")
COMMANDS = commands()


def test_every_command_is_described_and_no_other() -> None:
    described = [heading.removeprefix("todoku ") for heading in headings(PAGE) if heading.startswith("todoku ")]
    assert sorted(described) == sorted(COMMANDS)


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_every_option_of_a_command_is_described(words: str) -> None:
    parameters = COMMANDS[words].params
    options = {param.opts[0] for param in parameters if param.opts[0].startswith("--")}
    text = section(PAGE, f"`todoku {words}`")
    assert {code(row[0]) for row in rows(text) if code(row[0]).startswith("--")} == options
    for param in parameters:
        if not param.opts[0].startswith("--"):
            assert f"`{(param.metavar or param.name).upper()}`" in text
