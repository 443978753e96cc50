"""Log lines for machines and for people."""

import json
import logging
from typing import Literal

import pytest

from shared.settings import LogSettings
from shared.telemetry import JsonFormatter, PlainFormatter, configure_logging, log_context


@pytest.fixture
def record() -> logging.LogRecord:
    """A log record with one extra field."""
    return logging.makeLogRecord({"name": "worker", "levelname": "INFO", "msg": "claimed", "queue": "edit"})


def test_a_json_line_holds_the_message_its_fields_and_its_context(record: logging.LogRecord) -> None:
    with log_context(job_id="job_1"), log_context(attempt=2):
        line = json.loads(JsonFormatter("worker").format(record))
    assert {"service": "worker", "message": "claimed", "level": "info"}.items() <= line.items()
    assert (line["job_id"], line["attempt"], line["queue"]) == ("job_1", 2, "edit")


def test_the_context_ends_with_its_block(record: logging.LogRecord) -> None:
    with log_context(job_id="job_1"):
        pass
    assert "job_id" not in json.loads(JsonFormatter("worker").format(record))


def test_a_plain_line_ends_with_its_fields(record: logging.LogRecord) -> None:
    assert PlainFormatter().format(record).endswith("INFO claimed queue=edit")


@pytest.mark.parametrize(
    ("chosen", "json_lines", "is_json"),
    [("auto", True, True), ("auto", False, False), ("plain", True, False), ("json", False, True)],
)
def test_the_environment_decides_the_form_unless_it_leaves_it_to_the_process(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    chosen: Literal["auto", "json", "plain"],
    json_lines: bool,
    is_json: bool,
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    for hook in ("sys.excepthook", "threading.excepthook"):
        monkeypatch.setattr(hook, None)
    configure_logging("test", LogSettings(format=chosen), json_lines=json_lines)
    logging.getLogger("test").warning("hello")
    line = capsys.readouterr().err
    assert line.startswith("{") is is_json
    assert "hello" in line
