"""Rules, dashboards and runbooks: metrics exist in the code, alerts have tests and pages."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

import services.worker.metrics
from services.api.http.metrics import Metrics as GatewayMetrics
from services.tokenizer.metrics import Metrics as TokenizerMetrics
from shared.metrics import REGISTRY, metrics_text
from tests.support.source_tree import ROOT

FOLDER = ROOT / "infra" / "observability"
PROMETHEUS = FOLDER / "prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TEST_FILES = sorted((PROMETHEUS / "tests").glob("*.yml"))
DASHBOARDS = sorted((FOLDER / "grafana" / "dashboards").glob("*.json"))
RUNBOOKS = ROOT / "docs" / "runbooks"
SECTIONS = ("## What it means", "## Look", "## Do", "## Afterwards")
METRIC = re.compile(r"\b(luminary_\w+|up)\b(?!\s*\()")
RECORDED = re.compile(r"\bluminary:\w+:\w+")
BOUNDED = {
    "code": "problem codes and error codes",
    "device": "cpu or cuda",
    "direction": "encode or decode",
    "end": "ends of deliveries",
    "event": "shared.jobs.JobEvent",
    "method": "request_metrics.METHODS",
    "model": "the model of the process",
    "operation": "operations of the tokenizer service",
    "outcome": "outcomes of doorbells",
    "precision": "the precision of the process",
    "queue": "shared.jobs.Queue",
    "result": "webhook_delivery.outcomes.TryError",
    "round": "names of the io worker's threads",
    "route": "routes of the gateway",
    "server": "replica or primary",
    "state": "states of what is counted",
    "status": "2xx to 5xx",
    "step": "services.worker.job.steps.Step",
    "task": "shared.tasks.Task",
}
"""Every label of every metric, and where its values are listed. Ids and names of clients are none of them."""


def registries() -> list[CollectorRegistry]:
    """The metrics of all services."""
    assert services.worker.metrics.REGISTRY is REGISTRY
    return [GatewayMetrics().registry, TokenizerMetrics().registry, REGISTRY]


@cache
def metric_names() -> frozenset[str]:
    """Names of all time series of all services."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
    metrics = [metric for registry in registries() for metric in registry.collect()]
    return frozenset(metric.name + suffix for metric in metrics for suffix in suffixes[metric.type])


def rules() -> list[dict[str, Any]]:
    """All rules of all files."""
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in RULE_FILES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def texts(value: Any) -> Iterator[str]:
    """All strings under the key `expr` of a dashboard."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "expr":
                yield inner
            else:
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def unknown(expression: str) -> set[str]:
    """Names in a PromQL expression that neither a service nor a recording rule has."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    named = set(METRIC.findall(RECORDED.sub("", expression))) - {"up"}
    return (named - metric_names()) | (set(RECORDED.findall(expression)) - recorded)


def test_every_rule_asks_for_metrics_that_a_service_has() -> None:
    wrong = {rule.get("alert", rule.get("record")): unknown(rule["expr"]) for rule in rules()}
    assert not {name: names for name, names in wrong.items() if names}


@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.name)
def test_the_tests_of_rules_feed_series_that_exist(file: Path) -> None:
    series = re.findall(r"series: '([^{']+)", file.read_text(encoding="utf-8"))
    assert set(series) - {"up"} <= metric_names()


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.name)
def test_dashboards_ask_for_metrics_that_exist(file: Path) -> None:
    dashboard = json.loads(file.read_text(encoding="utf-8"))
    assert dashboard["uid"] == f"luminary-{file.stem}"
    assert dashboard["panels"]
    assert not set().union(*(unknown(text) for text in texts(dashboard)), set())


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_severity_a_summary_a_runbook_and_a_test(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"]
    page = ROOT / alert["annotations"]["runbook_url"]
    assert page.parent == RUNBOOKS
    text = page.read_text(encoding="utf-8")
    places = [text.find(section) for section in SECTIONS]
    assert -1 not in places, f"{page.name} needs the sections {SECTIONS}"
    assert places == sorted(places)
    fired = "".join(file.read_text(encoding="utf-8") for file in TEST_FILES)
    assert f'alertname="{name}"' in fired, f"no case of {PROMETHEUS.name}/tests lets {name} fire"


def test_every_runbook_belongs_to_an_alert() -> None:
    named = {Path(alert["annotations"]["runbook_url"]).name for alert in ALERTS.values()}
    assert {page.name for page in RUNBOOKS.glob("*.md")} == named | {"README.md"}


def test_labels_have_few_values() -> None:
    labels = {
        label
        for registry in registries()
        for collector in registry._collector_to_names
        for label in getattr(collector, "_labelnames", ())
    }
    assert labels == set(BOUNDED)


def runs(*command: str, given: str | None = None) -> None:
    """Run a tool if it is installed. given: its standard input."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_configuration_and_rules() -> None:
    runs("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml"))
    runs("promtool", "check", "rules", *map(str, RULE_FILES))


def test_promtool_accepts_names_and_help_of_the_metrics() -> None:
    text = metrics_text(GatewayMetrics().registry, TokenizerMetrics().registry).decode()
    runs("promtool", "check", "metrics", given=text)


@pytest.mark.slow
@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.name)
def test_promtool_passes_the_tests_of_the_rules(file: Path) -> None:
    runs("promtool", "test", "rules", str(file))


def test_amtool_accepts_the_configuration() -> None:
    runs("amtool", "check-config", str(FOLDER / "alertmanager" / "alertmanager.yml"))


def test_the_collector_uses_what_it_defines() -> None:
    config = yaml.safe_load((FOLDER / "otel-collector" / "config.yaml").read_text(encoding="utf-8"))
    [pipeline] = config["service"]["pipelines"].values()
    for part in ("receivers", "processors", "exporters"):
        assert set(pipeline[part]) == set(config[part])
    assert set(config["service"]["extensions"]) == set(config["extensions"])
