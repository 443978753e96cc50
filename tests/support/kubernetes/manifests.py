"""Read an overlay: rendered by kubectl, or plainly, from the files that it names.

The plain reading knows resources, components, suffixes of names and images, but no patches and no generators.
The files are complete without them, so our rules hold in both readings, and a machine without kubectl checks
them as well.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.source_tree import ROOT

FOLDER = ROOT / "infra" / "kubernetes"
WITH_LABEL_SELECTORS = 5
"""Major version of kustomize that the overlays need; kubectl has it since 1.27."""

Object = dict[str, Any]


def overlays() -> list[str]:
    """What can be applied to a cluster, as paths below infra/kubernetes."""
    return [
        *sorted(f"overlays/{file.parent.name}" for file in FOLDER.glob("overlays/*/kustomization.yaml")),
        "fine-tuning",
    ]


@cache
def kubectl() -> str | None:
    """The path of a kubectl whose kustomize is new enough; None if there is none."""
    program = shutil.which("kubectl")
    if program is None:
        return None
    told = subprocess.run([program, "version", "--client", "-o", "json"], capture_output=True, check=False)
    try:
        version = str(json.loads(told.stdout)["kustomizeVersion"])
    except (ValueError, KeyError):
        return None
    return program if int(version.lstrip("v").partition(".")[0]) >= WITH_LABEL_SELECTORS else None


@cache
def rendered(overlay: str) -> tuple[Object, ...]:
    """The objects of an overlay as kubectl renders them."""
    return render(FOLDER / overlay)


def render(folder: Path) -> tuple[Object, ...]:
    """The objects of a kustomization as kubectl renders them."""
    program = kubectl()
    assert program is not None
    done = subprocess.run([program, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr, done.stderr
    return tuple(documents(done.stdout))


@cache
def read_plainly(overlay: str) -> tuple[Object, ...]:
    """The objects of an overlay from the files that it names, without patches and generators."""
    return tuple(accumulate(FOLDER / overlay, []))


def accumulate(folder: Path, found: list[Object]) -> list[Object]:
    """Add the objects of a kustomization to those that were found, as kustomize does in its order."""
    kustomization = load(folder / "kustomization.yaml")
    own: list[Object] = []
    for name in kustomization.get("resources", []):
        place = folder / name
        own += accumulate(place, []) if place.is_dir() else documents(place.read_text(encoding="utf-8"))
    for each in own:
        each["metadata"]["name"] += kustomization.get("nameSuffix", "")
        for labels in kustomization.get("labels", []):
            if labels.get("includeSelectors"):
                add_labels(each, labels["pairs"])
    found = found + own
    for name in kustomization.get("components", []):
        found = accumulate(folder / name, found)
    for image in kustomization.get("images", []):
        for each in found:
            set_image(each, image)
    return found


def add_labels(each: Object, labels: Object) -> None:
    """Add labels to an object, its pods, and the selector of its pods."""
    each["metadata"].setdefault("labels", {}).update(labels)
    spec = each.get("spec", {})
    spec.get("selector", {}).get("matchLabels", {}).update(labels)
    spec.get("template", {}).get("metadata", {}).get("labels", {}).update(labels)


def set_image(each: Object, image: Object) -> None:
    """Give the containers with an image its tag."""
    for container in containers_of(each):
        if container["image"].partition(":")[0] == image["name"]:
            container["image"] = f"{image['name']}:{image['newTag']}"


def load(file: Path) -> Object:
    """A file with one document."""
    return yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)


def documents(text: str) -> list[Object]:
    """The documents of a file; no part of one is shared with another."""
    return [deepcopy(each) for each in yaml.load_all(text, yaml.CSafeLoader) if each]


def of_kind(objects: tuple[Object, ...], *kinds: str) -> list[Object]:
    """The objects of these kinds."""
    return [each for each in objects if each["kind"] in kinds]


def named(each: Object) -> str:
    """Kind and name."""
    return f"{each['kind']} {each['metadata']['name']}"


WORKLOADS = ("Deployment", "StatefulSet", "Job")


def pod_of(workload: Object) -> Object:
    """The specification of a workload's pods."""
    return workload["spec"]["template"]["spec"]


def labels_of(workload: Object) -> Object:
    """The labels of a workload's pods."""
    return workload["spec"]["template"]["metadata"]["labels"]


def component_of(workload: Object) -> str:
    """Which part of the platform a workload is."""
    return labels_of(workload)["app.kubernetes.io/component"]


def containers_of(each: Object) -> Iterator[Object]:
    """Init containers and containers of a workload; of other objects none."""
    if each["kind"] in WORKLOADS:
        yield from pod_of(each).get("initContainers", [])
        yield from pod_of(each)["containers"]


def selects(selector: Object, labels: Object) -> bool:
    """Whether a selector of labels fits."""
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        fits(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def fits(expression: Object, labels: Object) -> bool:
    """Whether an expression of a selector fits; ours use one operator."""
    assert expression["operator"] == "In", expression
    return labels.get(expression["key"]) in expression["values"]
