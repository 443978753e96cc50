"""Run the pods of an overlay as processes: with the commands, variables and probes of its containers.

What a cluster does with them is done here: ConfigMaps and Secrets become variables, init containers run in
order, a pod is ready when its probes say so, and it has its grace period after SIGTERM. Addresses and paths
are replaced, since there is neither a network nor a volume.
"""

import base64
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.health import answers
from infra.local.ports import free_ports
from infra.local.process import ManagedProcess, ProcessSpec
from tests.support.kubernetes.manifests import Object, named, pod_of
from tests.support.platforms.platform import eventually
from tests.support.source_tree import ROOT

PORT_VARIABLES = {"gateway": "GATEWAY_PORT", "tokenizer": "TOKENIZER_PORT"}
"""Settings with the port of a service; other containers have a health port."""
READY_SECONDS = 180.0


@dataclass
class Pod:
    """A running pod with one container."""

    process: ManagedProcess
    url: str
    container: Object
    grace_seconds: float

    def is_ready(self) -> bool:
        """What the readiness probe says."""
        return answers(self.url + self.container["readinessProbe"]["httpGet"]["path"])

    def wait_until_ready(self) -> None:
        """Wait for the startup probe and for the readiness probe."""
        started = self.url + self.container["startupProbe"]["httpGet"]["path"]
        self.process.wait_until(lambda: answers(started) and self.is_ready(), READY_SECONDS)

    def terminate(self) -> float:
        """Send SIGTERM, as a node does. Returns the seconds to the end, within the grace period."""
        begun = time.monotonic()
        self.process.request_stop()
        status = eventually(
            lambda: None if self.process.exit_status() is None else (self.process.exit_status(),),
            f"the end of {self.process.name} within its grace period",
            self.grace_seconds,
        )
        assert status[0] in {0, -signal.SIGTERM}, self.process.log_file.read_text()[-2000:]
        return time.monotonic() - begun


@dataclass
class LocalPods:
    """The workloads of an overlay, and what takes the place of the cluster.

    variables: replace those of the manifests. secrets: the operator's, by name. models: takes the place of
    the volume at /models.
    """

    objects: list[Object]
    folder: Path
    variables: Mapping[str, str]
    secrets: Mapping[str, Mapping[str, str]]
    models: Path
    pods: list[Pod] = field(default_factory=list[Pod])

    def workload(self, name: str) -> Object:
        """A workload by kind and name."""
        return next(each for each in self.objects if named(each) == name)

    def environment(self, container: Object) -> dict[str, str]:
        """The variables of a container."""
        values: dict[str, str] = {}
        for source in container.get("envFrom", []):
            [(kind, reference)] = source.items()
            values |= self.data("ConfigMap" if kind == "configMapRef" else "Secret", reference["name"])
        for variable in container.get("env", []):
            if "value" in variable:
                values[variable["name"]] = variable["value"]
            else:
                [(kind, reference)] = variable["valueFrom"].items()
                data = self.data("ConfigMap" if kind == "configMapKeyRef" else "Secret", reference["name"])
                values[variable["name"]] = data[reference["key"]]
        values |= {name: value for name, value in self.variables.items() if name in values}
        return {name: re.sub(r"^/models/", f"{self.models}/", value) for name, value in values.items()}

    def data(self, kind: str, name: str) -> dict[str, str]:
        """The entries of a ConfigMap or a Secret."""
        if kind == "Secret" and name in self.secrets:
            return dict(self.secrets[name])
        [found] = [each for each in self.objects if each["kind"] == kind and each["metadata"]["name"] == name]
        if kind == "ConfigMap":
            return found["data"]
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}

    def command(self, container: Object, environment: Mapping[str, str]) -> list[str]:
        """The command, with $(VARIABLE) replaced."""
        words = [
            re.sub(r"\$\((\w+)\)", lambda name: environment[name[1]], word) for word in container["command"]
        ]
        return [sys.executable, *words[1:]] if words[0] == "python" else words

    def run(self, container: Object) -> str:
        """Run a container that ends; fails when it ends with an error. Returns its output."""
        environment = self.environment(container)
        done = subprocess.run(
            self.command(container, environment),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{container['name']}: {done.stderr}"
        return done.stdout

    def run_job(self, name: str) -> None:
        """Run a Job to its end."""
        pod = pod_of(self.workload(f"Job {name}"))
        for container in (*pod.get("initContainers", []), *pod["containers"]):
            self.run(container)

    def prepare(self, deployment: str) -> list[str]:
        """Run the init containers of a Deployment; returns their outputs."""
        return [
            self.run(container)
            for container in pod_of(self.workload(f"Deployment {deployment}")).get("initContainers", [])
        ]

    def start(self, deployment: str, port: int | None = None) -> Pod:
        """Start a replica of a Deployment on a port of its own; it need not be ready yet."""
        pod = pod_of(self.workload(f"Deployment {deployment}"))
        [container] = pod["containers"]
        port = port or free_ports(1)[0]
        environment = {
            **self.environment(container),
            PORT_VARIABLES.get(container["name"], "WORKER_HEALTH_PORT"): str(port),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }
        spec = ProcessSpec(
            f"{deployment}-{port}", self.command(container, environment), environment, folder=ROOT
        )
        process = ManagedProcess(spec, self.folder / f"{spec.name}.log")
        process.start()
        started = Pod(process, f"http://127.0.0.1:{port}", container, pod["terminationGracePeriodSeconds"])
        self.pods.append(started)
        return started

    def stop(self) -> None:
        """End all that still runs."""
        for pod in self.pods:
            pod.process.request_stop()
        for pod in self.pods:
            pod.process.stop()
