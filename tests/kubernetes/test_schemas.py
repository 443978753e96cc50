"""Every overlay is valid for Kubernetes 1.35 to 1.37, and its custom resources for their definitions.

`make kubernetes` runs this. The schemas of custom resources come from the folder CRD_SCHEMAS, one file for
each kind, called like `scaledobject-keda-v1alpha1.json`: kind, first part of the group, version.
"""

import importlib
import json
import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.kubernetes.manifests import (
    FOLDER,
    Object,
    accumulate,
    documents,
    kubectl,
    named,
    overlays,
    rendered,
)

kubernetes_validate: Any = importlib.import_module("kubernetes_validate")
"""From the extra `kubernetes`, which `make kubernetes` installs: 23 MB of schemas."""
VERSIONS = ("1.35", "1.36", "1.37")
CUSTOM = ("keda.sh/", "gateway.networking.k8s.io/", "monitoring.coreos.com/", "external-secrets.io/")
WITHOUT_SCHEMA = {"ExternalSecret"}
"""No schema of these lies in the folder; the example is for one operator among several."""


def places() -> list[str]:
    """Overlays, and what no overlay uses."""
    return [*overlays(), "components/ingress", "examples/external-secrets.yaml"]


def objects_of(place: str) -> list[Object]:
    if place.endswith(".yaml"):
        return documents((FOLDER / place).read_text())
    if place.startswith("components/"):
        return accumulate(FOLDER / place, [])
    return list(rendered(place))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("place", places())
def test_kubernetes_knows_every_field(place: str, version: str) -> None:
    """Strictly: a misspelt field is a fault, although a server would ignore it."""
    assert kubectl() is not None, "install a kubectl with kustomize 5 (1.27 or newer)"
    checked = 0
    for each in objects_of(place):
        if each["apiVersion"].startswith(CUSTOM):
            continue
        try:
            assert kubernetes_validate.validate(each, version, strict=True) == version
        except kubernetes_validate.ValidationError as error:
            pytest.fail(f"{named(each)}: {'.'.join(map(str, error.path))}: {error.message}")
        checked += 1
    print(f"{place}: {checked} objects of Kubernetes {version}")
    assert checked or place.startswith("examples/")


def test_a_misspelt_field_is_a_fault() -> None:
    broken = deepcopy(next(each for each in rendered("overlays/production") if each["kind"] == "Deployment"))
    broken["spec"]["template"]["spec"]["terminationGracePeriod"] = 30
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("place", places())
def test_custom_resources_fit_their_definitions(place: str) -> None:
    folder = os.environ.get("CRD_SCHEMAS")
    custom = [each for each in objects_of(place) if each["apiVersion"].startswith(CUSTOM)]
    if folder is None and custom:
        pytest.skip(f"custom resources of {place} were not checked: CRD_SCHEMAS names no folder of schemas")
    for each in custom:
        if each["kind"] in WITHOUT_SCHEMA:
            print(f"{place}: {named(each)} was not checked: there is no schema")
            continue
        faults = list(faults_of(each, schema_of(Path(str(folder)), each)))
        assert faults == [], f"{named(each)}: {faults}"
        print(f"{place}: {named(each)} fits {each['apiVersion']}")


@pytest.mark.skipif("CRD_SCHEMAS" not in os.environ, reason="CRD_SCHEMAS names no folder of schemas")
def test_a_misspelt_field_of_a_custom_resource_is_a_fault() -> None:
    broken = deepcopy(
        next(each for each in rendered("overlays/production") if each["kind"] == "ScaledObject")
    )
    schema = schema_of(Path(os.environ["CRD_SCHEMAS"]), broken)
    broken["spec"]["cooldownSeconds"] = broken["spec"].pop("cooldownPeriod")
    assert any("cooldownSeconds" in fault for fault in faults_of(broken, schema))
    broken["spec"]["minReplicaCount"] = "one"
    assert len(list(faults_of(broken, schema))) == 2


def schema_of(folder: Path, each: Object) -> dict[str, Any]:
    """The schema of an object's kind."""
    group, _, version = each["apiVersion"].partition("/")
    file = folder / f"{each['kind'].lower()}-{group.partition('.')[0]}-{version}.json"
    return json.loads(file.read_text(encoding="utf-8"))


def faults_of(each: Object, schema: dict[str, Any]) -> Iterator[str]:
    """What the schema refuses, with fields that it does not know."""
    for error in jsonschema.Draft202012Validator(closed(schema)).iter_errors(each):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message}"


def closed(schema: Any) -> Any:
    """The schema without room for fields that it does not name; a server would drop them without a word."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {key: closed(value) for key, value in schema.items()}
    names_fields = isinstance(parts.get("properties"), dict) and parts.get("type") == "object"
    if names_fields and not parts.get("x-kubernetes-preserve-unknown-fields"):
        parts.setdefault("additionalProperties", False)
    return parts
