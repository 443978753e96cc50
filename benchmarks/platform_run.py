"""`luminary up` as a child process, and a client of its gateway."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.platform_models import DTYPE
from shared.ids import IdKind, parse_id

READY = re.compile(r"is ready\b.*?: (http\S+)")
KEY = re.compile(r"API key, .*?: (lum_\S+)")
POLL_SECONDS = 0.005
DEADLINE_SECONDS = 120.0


class RunningPlatform:
    """What the benchmark asks of the gateway, and reads in the worker's log."""

    def __init__(self, client: httpx2.Client, worker_log: Path) -> None:
        self._client = client
        self._worker_log = worker_log

    def draw(self, prompt: str, size: str, seed: int) -> Mapping[str, Any]:
        """Queue a job and wait for its end."""
        return self._done(self._post("/v1/jobs", prompt, size, seed, {"Prefer": "wait=60"}))

    def submit(self, prompt: str, size: str, seed: int) -> str:
        """Queue a job; its id."""
        return str(self._post("/v1/jobs", prompt, size, seed, {})["id"])

    def cancel(self, job_id: str) -> None:
        """Ask for its end."""
        self._client.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()

    def wait_until(self, job_id: str, condition: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """The job, once it meets the condition. Raises TimeoutError."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            answer = self._client.get(f"/v1/jobs/{job_id}").raise_for_status()
            if condition(answer.json()):
                return answer.json()
            time.sleep(POLL_SECONDS)
        raise TimeoutError(f"job {job_id}")

    def milliseconds_of(self, job_id: str) -> dict[str, float]:
        """The phases that the worker logged for a job that is done. Raises TimeoutError."""
        own_id = str(parse_id(IdKind.JOB, job_id))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            for line in reversed(self._worker_log.read_text(encoding="utf-8").splitlines()):
                if '"job done"' in line and line.endswith("}"):
                    entry = json.loads(line)
                    if entry["job_id"] == own_id:
                        return dict(entry["milliseconds"])
            time.sleep(POLL_SECONDS)
        raise TimeoutError(f"no times of job {job_id}")

    def _post(
        self, path: str, prompt: str, size: str, seed: int, headers: Mapping[str, str]
    ) -> Mapping[str, Any]:
        body = {"prompt": prompt, "size": size, "seed": seed}
        answer = self._client.post(path, json=body, headers=dict(headers))
        return answer.raise_for_status().json()

    @staticmethod
    def _done(job: Mapping[str, Any]) -> Mapping[str, Any]:
        if job["status"] != "succeeded":
            raise RuntimeError(f"job {job['id']} is {job['status']}: {job['error']}")
        return job


@contextmanager
def running_platform(folder: Path, model: Path, *, slots: int) -> Generator[RunningPlatform]:
    """The platform with all data below `folder`, until the block ends."""
    own = {
        "WORKER_MODEL": str(model),
        "WORKER_DTYPE": DTYPE,
        "WORKER_DEVICE": "cpu",
        "WORKER_SLOTS": str(slots),
        "TOKENIZER_MODEL": str(model / "movqgan"),
        "TOKENIZER_DEVICE": "cpu",
        "LOG_FORMAT": "json",
        "PYTHONUNBUFFERED": "1",
    }
    command = [str(Path(sys.executable).with_name("luminary")), "up", "--data", str(folder)]
    output = folder.with_suffix(".log")
    with output.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, env={**os.environ, **own}, stdout=log, stderr=subprocess.STDOUT)
    try:
        url, key = introduction(process, output)
        headers = {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=url, headers=headers, timeout=DEADLINE_SECONDS) as client:
            yield RunningPlatform(client, folder / "logs" / "worker.log")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def introduction(process: "subprocess.Popen[bytes]", output: Path) -> tuple[str, str]:
    """Address and API key, as the command prints them. Raises RuntimeError."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        text = output.read_text(encoding="utf-8")
        url, key = READY.search(text), KEY.search(text)
        if url and key:
            return url[1], key[1]
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"luminary up did not start:\n{output.read_text(encoding='utf-8')}")
