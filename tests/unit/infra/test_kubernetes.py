"""The manifests of infra/kubernetes keep our rules, as kubectl renders them and as the files say."""

import os
import re
import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.routing import Route

from infra.local.settings_table import SECTIONS
from infra.prometheus_rules import in_namespace, objects_of
from services.api.app import create_app
from services.api.http.metrics import Metrics
from services.api.settings import GatewayProcessSettings, GatewaySettings
from shared.jobs import Queue
from shared.misspelt_variables import variables_of
from shared.settings import BrokerSettings, DatabaseSettings, JobSettings, StorageSettings
from tests.support.kubernetes import pods, wiring
from tests.support.kubernetes.manifests import (
    FOLDER,
    WORKLOADS,
    Object,
    accumulate,
    containers_of,
    documents,
    kubectl,
    load,
    named,
    of_kind,
    overlays,
    pod_of,
    read_plainly,
    render,
    rendered,
)
from tests.support.source_tree import ROOT

Rule = Callable[[tuple[Object, ...]], Iterator[str]]
RULES: tuple[Rule, ...] = (*pods.RULES, *wiring.RULES)
with_kubectl = pytest.mark.skipif(
    kubectl() is None, reason="no kubectl with kustomize 5 on PATH; the plain reading is checked all the same"
)
UNUSED = ("ingress", "model-per-pod")
"""Components that no overlay of ours uses; docs/kubernetes.md offers them."""
NO_SETTINGS = {
    "QUEUES",
    "MODEL_SOURCE",
    "MODEL_SHA256",
    "MODEL_TOKENIZER_FOLDER",
    "DATABASE_ADMIN_URL",
    "DATABASE_OWNER_URL",
}
"""Variables of commands, not of services."""


def faults(rule: Rule, read: Callable[[str], tuple[Object, ...]]) -> list[str]:
    return [f"{overlay}: {fault}" for overlay in overlays() for fault in rule(read(overlay))]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_files_keep_the_rules(rule: Rule) -> None:
    assert faults(rule, read_plainly) == []


@with_kubectl
@pytest.mark.parametrize("rule", [*RULES, wiring.references], ids=lambda rule: rule.__name__)
def test_the_rendered_overlays_keep_the_rules(rule: Rule) -> None:
    assert faults(rule, rendered) == []


@with_kubectl
@pytest.mark.parametrize("overlay", overlays())
def test_the_plain_reading_misses_no_object(overlay: str) -> None:
    generated = {"ConfigMap", "Secret"}
    whole = {named(each) for each in rendered(overlay) if each["kind"] not in generated}
    plain = {named(each) for each in read_plainly(overlay)}
    assert whole <= plain
    assert plain - whole <= {"PersistentVolumeClaim luminary-models"}  # without a model to fetch


def container(objects: list[Object], name: str) -> Object:
    return next(
        each
        for workload in of_kind(tuple(objects), *WORKLOADS)
        for each in containers_of(workload)
        if each["name"] == name
    )


def workload(objects: list[Object], name: str) -> Object:
    return next(each for each in objects if named(each) == name)


def without(objects: list[Object], name: str) -> None:
    objects.remove(workload(objects, name))


def spot_with_thirty_seconds(objects: list[Object]) -> None:
    pod = pod_of(workload(objects, "Deployment luminary-worker-edit"))
    pod["tolerations"] = [{"key": "cloud.google.com/gke-spot"}]


BREAKS: list[tuple[Rule, Callable[[list[Object]], Any]]] = [
    (pods.images, lambda objects: container(objects, "worker").update(image="luminary-worker:latest")),
    (pods.images, lambda objects: container(objects, "gateway").update(image="luminary-gateway")),
    (pods.restricted, lambda objects: container(objects, "worker")["securityContext"].clear()),
    (
        pods.restricted,
        lambda objects: pod_of(workload(objects, "Job luminary-migrations"))["securityContext"].update(
            runAsUser=0
        ),
    ),
    (
        pods.restricted,
        lambda objects: pod_of(workload(objects, "Deployment luminary-gateway"))["volumes"].append(
            {"name": "host", "hostPath": {"path": "/"}}
        ),
    ),
    (pods.resources, lambda objects: container(objects, "fetch-model")["resources"].pop("limits")),
    (pods.resources, lambda objects: container(objects, "gateway")["resources"]["requests"].pop("cpu")),
    (pods.probes, lambda objects: container(objects, "io-worker").pop("livenessProbe")),
    (pods.probes, lambda objects: container(objects, "worker")["startupProbe"].update(failureThreshold=30)),
    (
        pods.probes,
        lambda objects: container(objects, "gateway")["livenessProbe"]["httpGet"].update(path="/readyz"),
    ),
    (
        pods.grace,
        lambda objects: pod_of(workload(objects, "Deployment luminary-worker-edit")).update(
            terminationGracePeriodSeconds=13
        ),
    ),
    (
        pods.grace,
        lambda objects: container(objects, "gateway")["lifecycle"]["preStop"]["sleep"].update(seconds=17),
    ),
    (pods.grace, spot_with_thirty_seconds),
    (
        pods.commands,
        lambda objects: container(objects, "gateway").update(command=["python", "-m", "services.door"]),
    ),
    (
        pods.priorities,
        lambda objects: pod_of(workload(objects, "Deployment luminary-gateway")).pop("priorityClassName"),
    ),
    (
        pods.rollouts,
        lambda objects: workload(objects, "Deployment luminary-worker-edit")["spec"]["strategy"][
            "rollingUpdate"
        ].update(maxSurge=1),
    ),
    (
        pods.tokens,
        lambda objects: pod_of(workload(objects, "Job luminary-migrations")).pop("enableServiceLinks"),
    ),
    (
        pods.tokens,
        lambda objects: workload(objects, "ServiceAccount luminary-worker").update(
            automountServiceAccountToken=True
        ),
    ),
    (wiring.ports, lambda objects: container(objects, "worker")["ports"].append({"name": "metrics"})),
    (wiring.ports, lambda objects: without(objects, "NetworkPolicy luminary-migrations")),
    (wiring.policies, lambda objects: without(objects, "NetworkPolicy luminary-deny")),
    (
        wiring.policies,
        lambda objects: workload(objects, "NetworkPolicy luminary-worker")["spec"]["egress"].append(
            {"ports": [{"port": 25}]}
        ),
    ),
    (
        wiring.egress,
        lambda objects: workload(objects, "NetworkPolicy luminary-worker")["spec"]["egress"].pop(),
    ),
    (
        wiring.egress,
        lambda objects: workload(objects, "NetworkPolicy luminary-worker")["spec"]["egress"].append(
            {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443}]}
        ),
    ),
    (wiring.disruptions, lambda objects: without(objects, "PodDisruptionBudget luminary-worker-dense")),
    (
        wiring.services,
        lambda objects: workload(objects, "Service luminary-tokenizer")["spec"]["ports"][0].update(
            targetPort="grpc"
        ),
    ),
    (
        wiring.selectors,
        lambda objects: workload(objects, "Deployment luminary-worker-edit")["spec"]["selector"][
            "matchLabels"
        ].pop("luminary/workers"),
    ),
    (wiring.monitors, lambda objects: without(objects, "PodMonitor luminary-workers")),
    (
        wiring.monitors,
        lambda objects: workload(objects, "ServiceMonitor luminary-gateway")["spec"]["endpoints"][0].update(
            port="metrics"
        ),
    ),
    (wiring.mounts, lambda objects: without(objects, "PersistentVolumeClaim luminary-models")),
    (
        wiring.scaling,
        lambda objects: workload(objects, "Deployment luminary-worker-edit")["spec"].update(replicas=3),
    ),
]


@pytest.mark.parametrize(("rule", "break_it"), BREAKS, ids=lambda part: getattr(part, "__name__", ""))
def test_a_rule_notices_what_breaks_it(
    rule: Rule, break_it: Callable[[list[Object]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "BASE_ONLY", set[str]())
    objects = deepcopy(list(read_plainly("overlays/production")))
    assert list(rule(tuple(objects))) == []
    break_it(objects)
    assert list(rule(tuple(objects))) != []


def test_every_rule_is_shown_to_fail() -> None:
    assert {rule for rule, _ in BREAKS} == set(RULES)


def given_variables() -> set[str]:
    """Names of the environment variables of our containers, in the manifests and in their files."""
    objects = [each for overlay in overlays() for each in read_plainly(overlay)]
    names = {
        variable["name"]
        for each in of_kind(tuple(objects), *WORKLOADS)
        for part in containers_of(each)
        for variable in part.get("env", [])
    }
    files = [file for file in FOLDER.rglob("*.env") if "servers" not in file.parts]
    lines = [line for file in files for line in file.read_text().splitlines() if not line.startswith("#")]
    return names | {line.partition("=")[0] for line in lines}


def test_every_variable_is_a_setting() -> None:
    known = {variable for part in SECTIONS.values() for variable in variables_of(part)}
    given = given_variables()
    assert "TOKENIZER_URL" in given
    assert given - known - NO_SETTINGS == set()
    assert NO_SETTINGS <= given


def test_both_ways_of_scaling_have_the_same_figures_for_every_queue() -> None:
    for queue in Queue:
        keda, native = (
            load(FOLDER / "components" / folder / f"{queue}.yaml")["spec"]
            for folder in ("keda", "hpa-native")
        )
        assert (keda["minReplicaCount"], keda["maxReplicaCount"]) == (
            native["minReplicas"],
            native["maxReplicas"],
        )
        assert keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == native["behavior"]
        [trigger], [metric] = keda["triggers"], native["metrics"]
        assert trigger["metadata"]["targetQueryValue"] == metric["external"]["target"]["averageValue"]
        assert f"queue = '{queue}'" in trigger["metadata"]["query"]
        assert metric["external"]["metric"]["selector"] == {"matchLabels": {"queue": queue.value}}


def test_the_native_autoscaler_reads_a_metric_that_the_gateway_has() -> None:
    gauge = Metrics().work
    [rule] = load(FOLDER / "components/monitoring/rules.yaml")["spec"]["groups"][0]["rules"]
    [adapter] = load(FOLDER / "components/hpa-native/adapter-values.yaml")["rules"]["external"]
    native = load(FOLDER / "components/hpa-native/generate.yaml")["spec"]["metrics"][0]["external"]
    assert f"({next(iter(gauge.describe())).name})" in rule["expr"]
    assert set(re.findall(r"queue|model|state", rule["expr"])) == {"queue", "model", "state"}
    assert adapter["seriesQuery"].startswith(rule["record"] + "{")
    assert adapter["name"]["as"] == native["metric"]["name"]


def test_clients_reach_every_route_and_neither_metrics_nor_probes() -> None:
    app = create_app(
        GatewayProcessSettings(
            database=DatabaseSettings(url=SecretStr("postgresql://nobody@127.0.0.1:1/nowhere")),
            broker=BrokerSettings(broker_url=SecretStr("redis://127.0.0.1:1")),
            storage=StorageSettings(bucket="none"),
            jobs=JobSettings(),
            gateway=GatewaySettings(),
        )
    )
    routes = set(app.openapi()["paths"]) | {route.path for route in app.routes if isinstance(route, Route)}
    hidden = {"/metrics", "/healthz", "/readyz", "/ready"}
    [ingress] = load(FOLDER / "components/ingress/ingress.yaml")["spec"]["rules"]
    of_ingress = [path["path"] for path in ingress["http"]["paths"]]
    objects = accumulate(FOLDER / "components/gateway-api", [])
    matches = workload(objects, "HTTPRoute luminary")["spec"]["rules"][0]["matches"]
    assert of_ingress == [match["path"]["value"] for match in matches]
    reached = {route for route in routes if any(f"{route}/".startswith(f"{path}/") for path in of_ingress)}
    assert len(routes) > 30
    assert routes - reached == hidden & routes


def test_the_operator_gets_every_rule_of_prometheus() -> None:
    folder, written = (
        FOLDER.parent / "observability/prometheus/rules",
        FOLDER / "components/monitoring/alerts.yaml",
    )
    assert written.read_text() == objects_of(folder), "run `make pages`"
    groups = [group for each in documents(written.read_text()) for group in each["spec"]["groups"]]
    rules = [group for file in sorted(folder.glob("*.yml")) for group in load(file)["groups"]]
    assert [group["name"] for group in groups] == [group["name"] for group in rules]
    assert [len(group["rules"]) for group in groups] == [len(group["rules"]) for group in rules]
    assert in_namespace('up == 0 or absent(up{job="x"})') == (
        'up{namespace="luminary"} == 0 or absent(up{namespace="luminary",job="x"})'
    )
    assert in_namespace("jobs start up to two seconds later") == "jobs start up to two seconds later"


def test_the_images_have_the_version_of_this_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for folder in ("components/release", "components/gpu", "fine-tuning"):
        tags = {image["newTag"] for image in load(FOLDER / folder / "kustomization.yaml")["images"]}
        assert tags <= {version, f"{version}-cuda"}


def test_no_file_is_left_out_of_every_overlay() -> None:
    examples = {"adapter-values.yaml", "external-secrets.yaml"}
    named_files = {
        (file.parent / name).resolve()
        for file in FOLDER.rglob("kustomization.yaml")
        for key in ("resources", "components")
        for name in load(file).get(key, [])
    }
    for file in FOLDER.rglob("*.yaml"):
        assert file.name in {"kustomization.yaml", *examples} or file.resolve() in named_files, file
    unused = set(UNUSED)
    used = {place.name for place in named_files if place.parent.name == "components"}
    assert {place.name for place in (FOLDER / "components").iterdir()} - used == unused


@with_kubectl
def test_components_that_no_overlay_uses_fit_one(tmp_path: Path) -> None:
    place = os.path.relpath(FOLDER, tmp_path)
    components = "".join(f"  - {place}/components/{name}\n" for name in UNUSED)
    (tmp_path / "kustomization.yaml").write_text(
        f"namespace: luminary\nresources:\n  - {place}/overlays/production\ncomponents:\n{components}"
    )
    objects = render(tmp_path)
    assert [fault for rule in (*RULES, wiring.references) for fault in rule(objects)] == []
    assert len(of_kind(objects, "Ingress")) == 1
    assert not of_kind(objects, "PersistentVolumeClaim")
    caches = [
        volume
        for each in of_kind(objects, "Deployment")
        for volume in pod_of(each)["volumes"]
        if volume["name"] == "models"
    ]
    assert len(caches) == 4
    assert all("emptyDir" in volume for volume in caches)
