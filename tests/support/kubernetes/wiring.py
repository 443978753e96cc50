"""Rules for what holds objects together: ports, selectors, references. Each yields a line for a fault."""

import re
from collections.abc import Iterator

from tests.support.kubernetes.manifests import (
    WORKLOADS,
    Object,
    component_of,
    containers_of,
    labels_of,
    named,
    of_kind,
    pod_of,
    selects,
)

FROM_OUTSIDE = {
    "luminary-services",
    "luminary-storage",
    "luminary-tokenizer",
    "luminary-owner",
    "luminary-scaler",
    "luminary-tls",
}
"""Secrets that the operator brings; docs/kubernetes.md names them."""
BASE_ONLY = {"luminary-models", "luminary-fine-tuning"}
"""What a namespace with the base has; fine-tuning is applied on its own."""
SERVERS = {"gateway", "io-worker", "worker", "migrations"}
"""Components that connect to PostgreSQL."""


def ports(objects: tuple[Object, ...]) -> Iterator[str]:
    """Nothing is reachable unless a policy names it; every port of every container is named by one."""
    policies = of_kind(objects, "NetworkPolicy")
    for each in of_kind(objects, *WORKLOADS):
        allowed = {
            port["port"]
            for policy in policies
            if selects(policy["spec"]["podSelector"], labels_of(each))
            for rule in policy["spec"].get("ingress", [])
            for port in rule["ports"]
        }
        own = {port["name"] for container in containers_of(each) for port in container.get("ports", [])}
        for missing in own - allowed:
            yield f"{named(each)}: no NetworkPolicy names its port {missing}"
        if not any(
            "app.kubernetes.io/component" in str(policy["spec"]["podSelector"])
            and selects(policy["spec"]["podSelector"], labels_of(each))
            for policy in policies
        ):
            yield f"{named(each)}: has no NetworkPolicy of its own"


def policies(objects: tuple[Object, ...]) -> Iterator[str]:
    """The namespace denies by default; each policy selects pods that exist, by ports that they have."""
    found = of_kind(objects, "NetworkPolicy")
    pods = of_kind(objects, *WORKLOADS)
    closed = [policy for policy in found if policy["spec"] == DENY]
    if of_kind(objects, "Namespace") and len(closed) != 1:
        yield "no NetworkPolicy denies by default"
    for policy in found:
        selected = [each for each in pods if selects(policy["spec"]["podSelector"], labels_of(each))]
        if not selected:
            yield f"{named(policy)}: selects no pod"
        own = {
            port["name"]
            for each in selected
            for container in containers_of(each)
            for port in container.get("ports", [])
        }
        for rule in policy["spec"].get("ingress", []):
            for port in rule["ports"]:
                if port["port"] not in own:
                    yield f"{named(policy)}: its pods have no port {port['port']}"
        for rule in policy["spec"].get("egress", []):
            if not rule.get("ports") or not rule.get("to"):
                yield f"{named(policy)}: allows every port or every place"


DENY = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def egress(objects: tuple[Object, ...]) -> Iterator[str]:
    """Pods may connect to the servers that they need; two components reach the internet."""
    for each in of_kind(objects, *WORKLOADS):
        rules = [
            rule
            for policy in of_kind(objects, "NetworkPolicy")
            if selects(policy["spec"]["podSelector"], labels_of(each))
            for rule in policy["spec"].get("egress", [])
        ]
        reached = {port["port"] for rule in rules for port in rule["ports"]}
        component = component_of(each)
        needed: set[object] = {5432} if component in SERVERS else set()
        needed |= {6379, 5672, 443} if component in SERVERS - {"migrations"} else set()
        needed |= {"http"} if component in {"worker", "io-worker"} else set()
        if needed - reached:
            yield f"{named(each)}: may not connect to {sorted(map(str, needed - reached))}"
        public = [
            peer["ipBlock"]
            for rule in rules
            for peer in rule["to"]
            if peer.get("ipBlock", {}).get("cidr") in {"0.0.0.0/0", "::/0"}
        ]
        if public and component not in {"gateway", "io-worker"}:
            yield f"{named(each)}: reaches the internet"
        if any("except" not in block for block in public):
            yield f"{named(each)}: reaches private networks and metadata services on any port"


def disruptions(objects: tuple[Object, ...]) -> Iterator[str]:
    """Every Deployment has a disruption budget of its own, which lets a node be emptied."""
    budgets = of_kind(objects, "PodDisruptionBudget")
    for each in of_kind(objects, "Deployment"):
        mine = [budget for budget in budgets if selects(budget["spec"]["selector"], labels_of(each))]
        if [budget["spec"].get("maxUnavailable") for budget in mine] != [1]:
            yield f"{named(each)}: has {len(mine)} disruption budgets"


def services(objects: tuple[Object, ...]) -> Iterator[str]:
    """A Service leads to a port that its pods have."""
    for service in of_kind(objects, "Service"):
        selector = {"matchLabels": service["spec"]["selector"]}
        own = {
            port["name"]
            for each in of_kind(objects, *WORKLOADS)
            if selects(selector, labels_of(each))
            for container in containers_of(each)
            for port in container.get("ports", [])
        }
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in own:
                yield f"{named(service)}: no pod has the port {port['targetPort']}"


def selectors(objects: tuple[Object, ...]) -> Iterator[str]:
    """A Deployment selects its own pods and no others: two with one selector fight for their pods."""
    workloads = of_kind(objects, "Deployment", "StatefulSet")
    for each in workloads:
        owners = [named(other) for other in workloads if selects(other["spec"]["selector"], labels_of(each))]
        if owners != [named(each)]:
            yield f"pods of {named(each)} are selected by {owners}"


def mounts(objects: tuple[Object, ...]) -> Iterator[str]:
    """Every mount has a volume, and a claim exists."""
    claims = {each["metadata"]["name"] for each in of_kind(objects, "PersistentVolumeClaim")} | BASE_ONLY
    for each in of_kind(objects, *WORKLOADS):
        volumes = {volume["name"] for volume in pod_of(each).get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])}
        for container in containers_of(each):
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield f"{named(each)}: {container['name']} mounts {mount['name']}, which is no volume"
        for volume in pod_of(each).get("volumes", []):
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim is not None and claim not in claims:
                yield f"{named(each)}: there is no claim {claim}"


def monitors(objects: tuple[Object, ...]) -> Iterator[str]:
    """Prometheus scrapes every service: by a port that exists, under the name that alerts know."""
    scraped: set[str] = set()
    found = of_kind(objects, "ServiceMonitor", "PodMonitor")
    for monitor in found:
        spec = monitor["spec"]
        [endpoint] = spec.get("endpoints") or spec["podMetricsEndpoints"]
        pods = [each for each in of_kind(objects, *WORKLOADS) if selects(spec["selector"], labels_of(each))]
        scraped |= {component_of(each) for each in pods}
        for each in pods:
            ports = {port["name"] for part in containers_of(each) for port in part.get("ports", [])}
            if endpoint["port"] not in ports or endpoint["path"] != "/metrics":
                yield f"{named(monitor)}: {named(each)} has no {endpoint['port']}{endpoint['path']}"
        if spec.get("jobLabel") != "app.kubernetes.io/component":
            yield f"{named(monitor)}: alerts know services by the label job"
    if found and scraped != {"gateway", "tokenizer", "worker", "io-worker"}:
        yield f"only {sorted(scraped)} are scraped"


def scaling(objects: tuple[Object, ...]) -> Iterator[str]:
    """A scaler has a Deployment that exists and names no number of replicas; each has one scaler at most."""
    targets = [
        (named(each), each["spec"]["scaleTargetRef"]["name"])
        for each in of_kind(objects, "ScaledObject", "HorizontalPodAutoscaler")
    ]
    deployments = {each["metadata"]["name"]: each for each in of_kind(objects, "Deployment")}
    for name, target in targets:
        if target not in deployments:
            yield f"{name}: there is no Deployment {target}"
        elif "replicas" in deployments[target]["spec"]:
            yield f"{name}: every release would set the replicas of {target} back"
    names = [target for _, target in targets]
    for twice in {name for name in names if names.count(name) > 1}:
        yield f"{twice} has two scalers"


RULES = (ports, policies, egress, disruptions, services, selectors, mounts, monitors, scaling)


def references(objects: tuple[Object, ...]) -> Iterator[str]:
    """ConfigMaps and Secrets that pods read exist, or come from the operator. For rendered objects alone."""
    there = {(each["kind"], each["metadata"]["name"]) for each in objects}
    for each in of_kind(objects, *WORKLOADS):
        for kind, name in referred(pod_of(each)):
            if (kind, name) not in there and not (kind == "Secret" and name in FROM_OUTSIDE):
                yield f"{named(each)}: there is no {kind} {name}"


KINDS = {
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "configMap": "ConfigMap",
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
}


def referred(part: object) -> Iterator[tuple[str, str]]:
    """Kind and name of all that a part of a pod refers to."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in KINDS and isinstance(value, dict) and re.match("luminary-", str(value.get("name"))):
                yield KINDS[key], str(value["name"])
            else:
                yield from referred(value)
    elif isinstance(part, list):
        for value in part:
            yield from referred(value)
