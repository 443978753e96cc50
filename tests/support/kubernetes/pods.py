"""Rules for pods. Each yields a line for everything that breaks it."""

from collections.abc import Iterator
from importlib.util import find_spec

from services.api.__main__ import LEAVE_SECONDS
from services.worker.lifecycle import FAREWELL_SECONDS
from tests.support.kubernetes.manifests import (
    WORKLOADS,
    Object,
    component_of,
    containers_of,
    named,
    of_kind,
    pod_of,
)

USER = 10001
"""The user of our images."""
LOAD_SECONDS = 600
"""A large model may take this long to load."""
VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
"""Kinds of volumes that our pods may have; the profile `restricted` allows some more."""
LEAVES_WITHIN = {"gateway": LEAVE_SECONDS, "io-worker": 10, "tokenizer": 5}
"""Seconds that a service needs after SIGTERM; a worker's are its settings."""


def images(objects: tuple[Object, ...]) -> Iterator[str]:
    """Every image has a version, and never the moving tag `latest`."""
    for each in of_kind(objects, *WORKLOADS):
        for container in containers_of(each):
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            if not tag or tag.startswith("latest"):
                yield f"{named(each)}: {container['image']} has no fixed version"


def restricted(objects: tuple[Object, ...]) -> Iterator[str]:
    """The profile `restricted` of the Pod Security Standards, a read-only root, and our images' user."""
    for each in of_kind(objects, *WORKLOADS):
        pod = pod_of(each)
        security = pod.get("securityContext", {})
        if security.get("runAsNonRoot") is not True or not security.get("runAsUser"):
            yield f"{named(each)}: runs as root"
        if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{named(each)}: no seccomp profile"
        if {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & pod.keys():
            yield f"{named(each)}: shares something with its node"
        for volume in pod.get("volumes", []):
            if not volume.keys() - {"name"} <= VOLUMES:
                yield f"{named(each)}: volume {volume['name']} of a kind that is not allowed"
        for container in containers_of(each):
            own = container.get("securityContext", {})
            wanted = {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            if own != wanted:
                yield f"{named(each)}: {container['name']} has the security context {own}"
            is_ours = container["image"].startswith("luminary-")
            if is_ours and (security.get("runAsUser"), security.get("runAsGroup")) != (USER, USER):
                yield f"{named(each)}: {container['name']} does not run as {USER}"


def resources(objects: tuple[Object, ...]) -> Iterator[str]:
    """Every container asks for CPU and memory, and has a limit of memory.

    There is no limit of CPU: it would slow a pod down on an idle node.
    """
    for each in of_kind(objects, *WORKLOADS):
        for container in containers_of(each):
            given = container.get("resources", {})
            if not {"cpu", "memory"} <= given.get("requests", {}).keys():
                yield f"{named(each)}: {container['name']} requests too little"
            if "memory" not in given.get("limits", {}):
                yield f"{named(each)}: {container['name']} has no limit of memory"
        for volume in pod_of(each).get("volumes", []):
            if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
                yield f"{named(each)}: volume {volume['name']} may fill the node's disk"


def probes(objects: tuple[Object, ...]) -> Iterator[str]:
    """All three probes; of ours liveness by /healthz and readiness by /readyz; a long load is not killed."""
    for each in of_kind(objects, "Deployment", "StatefulSet"):
        for container in pod_of(each)["containers"]:
            place = f"{named(each)}: {container['name']}"
            missing = {"startupProbe", "readinessProbe", "livenessProbe"} - container.keys()
            if missing:
                yield f"{place} lacks {', '.join(sorted(missing))}"
                continue
            if not container["image"].startswith("luminary-"):
                continue
            ready, alive, start = (container[f"{name}Probe"] for name in ("readiness", "liveness", "startup"))
            if ready["httpGet"]["path"] != "/readyz" or alive["httpGet"]["path"] != "/healthz":
                yield f"{place}: readiness must ask /readyz, liveness /healthz"
            ports = {port["name"] for port in container["ports"]}
            if not {probe["httpGet"]["port"] for probe in (ready, alive, start)} <= ports:
                yield f"{place}: a probe asks a port that the container does not have"
            loads = container["name"] in {"worker", "tokenizer"}
            seconds = start["periodSeconds"] * start["failureThreshold"]
            if loads and (start["httpGet"]["path"] != "/readyz" or seconds < LOAD_SECONDS):
                yield f"{place}: a load of ten minutes would be killed after {seconds} s"


def grace(objects: tuple[Object, ...]) -> Iterator[str]:
    """The grace period is longer than preStop and the process need, and at most 15 s on spot machines."""
    for each in of_kind(objects, *WORKLOADS):
        pod = pod_of(each)
        if "terminationGracePeriodSeconds" not in pod:
            yield f"{named(each)}: names no grace period"
            continue
        given = pod["terminationGracePeriodSeconds"]
        for container in pod["containers"]:
            stop = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            if component_of(each) == "worker":
                needed = drain_seconds(container) + FAREWELL_SECONDS
            else:
                needed = LEAVES_WITHIN.get(component_of(each), 0)
            if given <= stop + needed:
                yield f"{named(each)}: {given} s are too short for {stop} s in preStop and {needed} s"
        is_spot = any("spot" in str(toleration) for toleration in pod.get("tolerations", []))
        if is_spot and given > 15:
            yield f"{named(each)}: a spot machine gives 15 s, not {given}"


def drain_seconds(container: Object) -> float:
    """WORKER_DRAIN_SECONDS of a worker."""
    [value] = [env["value"] for env in container["env"] if env["name"] == "WORKER_DRAIN_SECONDS"]
    return float(value)


def commands(objects: tuple[Object, ...]) -> Iterator[str]:
    """Our images run modules that exist."""
    for each in of_kind(objects, *WORKLOADS):
        for container in containers_of(each):
            if not container["image"].startswith("luminary-"):
                continue
            command = container.get("command", [])
            if command[:2] != ["python", "-m"] or not can_run(command[2]):
                yield f"{named(each)}: {container['name']} runs {' '.join(command)}"


def can_run(module: str) -> bool:
    """Whether `python -m` has something to run."""
    found = find_spec(module)
    if found is None or found.submodule_search_locations is None:
        return found is not None
    return find_spec(f"{module}.__main__") is not None


def priorities(objects: tuple[Object, ...]) -> Iterator[str]:
    """Our pods have a priority."""
    for each in of_kind(objects, *WORKLOADS):
        ours = any(container["image"].startswith("luminary-") for container in containers_of(each))
        if ours and not str(pod_of(each).get("priorityClassName", "")).startswith("luminary-"):
            yield f"{named(each)}: no priority class"


def rollouts(objects: tuple[Object, ...]) -> Iterator[str]:
    """A worker is replaced without a second GPU, any other service without a gap; replicas are spread."""
    for each in of_kind(objects, "Deployment"):
        rolling = each["spec"].get("strategy", {}).get("rollingUpdate", {})
        wanted = {"maxSurge": 0, "maxUnavailable": 1}
        if component_of(each) != "worker":
            wanted = {"maxSurge": 1, "maxUnavailable": 0}
        if rolling != wanted:
            yield f"{named(each)}: is replaced by {rolling}"
        spread = pod_of(each).get("topologySpreadConstraints", [])
        if [part["topologyKey"] for part in spread] != [
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        ]:
            yield f"{named(each)}: is not spread over zones and nodes"


def tokens(objects: tuple[Object, ...]) -> Iterator[str]:
    """No pod has a token for the Kubernetes API, nor variables of other services."""
    accounts = {each["metadata"]["name"]: each for each in of_kind(objects, "ServiceAccount")}
    for each in accounts.values():
        if each.get("automountServiceAccountToken") is not False:
            yield f"{named(each)}: hands out tokens"
    for each in of_kind(objects, *WORKLOADS):
        pod = pod_of(each)
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{named(each)}: mounts a token"
        if accounts and pod.get("serviceAccountName") not in accounts:
            yield f"{named(each)}: has no service account of its own"
        if pod.get("enableServiceLinks") is not False:
            yield f"{named(each)}: TOKENIZER_PORT of a Service would pass for a setting"


RULES = (
    images,
    restricted,
    resources,
    probes,
    grace,
    commands,
    priorities,
    rollouts,
    tokens,
)
