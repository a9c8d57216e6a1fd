import logging

import orjson
import pytest
import structlog

from core import logs


@pytest.fixture(autouse=True)
def _configured() -> None:
    logs.configure("test", "info")


@pytest.mark.parametrize(
    "fact",
    ["taro@example.jp", "to <taro@example.jp>", ["taro@example.jp"], {"a": "taro@example.jp"}, b"taro@example.jp"],
)
def test_an_address_never_reaches_a_line(fact: object, capsys: pytest.CaptureFixture[str]) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory())
    logs.get().info("event", fact=fact)
    said = capsys.readouterr().out
    assert "taro" not in said
    assert orjson.loads(said)["event"] == "event"


def test_an_exception_text_is_cleaned_too(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory())
    try:
        int("taro@example.jp")
    except ValueError:
        logs.get().exception("failed")
    assert "taro@" not in capsys.readouterr().out


def test_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory())
    logging.getLogger("somewhere").info("chatter")
    logging.getLogger("somewhere").warning("trouble with %s", "hanako@example.jp")
    said = orjson.loads(capsys.readouterr().out)
    assert said["logger"] == "somewhere"
    assert said["message"] == "trouble with <address>"
