"""Run `luminary up` as a child process, with a client of its gateway."""

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
from infra.local.run_file import read_run
from shared.ids import IdKind, parse_id

READY = re.compile(r"is ready\b.*?: (http\S+)")
KEY = re.compile(r"API key, .*?: (lum_\S+)")
POLL_SECONDS = 0.005
DEADLINE_SECONDS = 120.0


class RunningPlatform:
    """A client of the gateway, and a reader of the worker's log."""

    def __init__(self, client: httpx2.Client, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._worker_log = folder / "logs" / "worker.log"

    def draw(self, prompt: str, size: str, seed: int) -> Mapping[str, Any]:
        """Submit a job and wait until it has succeeded. Raises RuntimeError when it has not."""
        return self._done(self._post("/v1/jobs", prompt, size, seed, {"Prefer": "wait=60"}))

    def submit(self, prompt: str, size: str, seed: int) -> str:
        """Submit a text_to_image job; return its id."""
        return str(self._post("/v1/jobs", prompt, size, seed, {})["id"])

    def submit_request(self, request: Mapping[str, Any]) -> str:
        """Submit a job of any task; return its id."""
        return str(self._client.post("/v1/jobs", json=dict(request)).raise_for_status().json()["id"])

    def upload(self, png: bytes) -> str:
        """Upload a picture; return its id."""
        files = {"file": ("picture.png", png, "image/png")}
        return str(self._client.post("/v1/images", files=files).raise_for_status().json()["id"])

    def job(self, job_id: str) -> Mapping[str, Any]:
        """The current state of the job."""
        return self._client.get(f"/v1/jobs/{job_id}").raise_for_status().json()

    def cancel(self, job_id: str) -> None:
        """Request cancellation of the job."""
        self._client.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()

    def wait_until(
        self,
        job_id: str,
        condition: Callable[[Mapping[str, Any]], bool],
        seconds: float = DEADLINE_SECONDS,
        pause_seconds: float = POLL_SECONDS,
    ) -> Mapping[str, Any]:
        """Wait until the job meets the condition and return it. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = self._client.get(f"/v1/jobs/{job_id}").raise_for_status()
            if condition(answer.json()):
                return answer.json()
            time.sleep(pause_seconds)
        raise TimeoutError(f"job {job_id}")

    def worker_pid(self) -> int:
        """Process id of the running GPU worker. Raises RuntimeError when none runs."""
        run = read_run(self._folder)
        pids = [process.pid for process in run.processes if process.name == "worker"] if run else []
        if not pids:
            raise RuntimeError("no GPU worker runs")
        return pids[0]

    def milliseconds_of(self, job_id: str) -> dict[str, float]:
        """Milliseconds by phase that the worker logged for a finished job. Raises TimeoutError."""
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
            raise RuntimeError(f"job {job['id']} ended with status {job['status']}: {job['error']}")
        return job


@contextmanager
def running_platform(
    folder: Path,
    model: Path,
    *,
    slots: int,
    settings: Mapping[str, str] | None = None,
    start_seconds: float = DEADLINE_SECONDS,
) -> Generator[RunningPlatform]:
    """Run the platform with all data below `folder` until the block ends.

    settings: more environment variables.
    """
    own = {
        "WORKER_MODEL": str(model),
        "WORKER_DTYPE": DTYPE,
        "WORKER_DEVICE": "cpu",
        "WORKER_SLOTS": str(slots),
        "TOKENIZER_DEVICE": "cpu",
        "LOG_FORMAT": "json",
        "PYTHONUNBUFFERED": "1",
        **(settings or {}),
    }
    command = [str(Path(sys.executable).with_name("luminary")), "up", "--data", str(folder)]
    output = folder.with_suffix(".log")
    with output.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, env={**os.environ, **own}, stdout=log, stderr=subprocess.STDOUT)
    try:
        url, key = introduction(process, output, start_seconds)
        headers = {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=url, headers=headers, timeout=DEADLINE_SECONDS) as client:
            yield RunningPlatform(client, folder)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def introduction(process: "subprocess.Popen[bytes]", output: Path, seconds: float) -> tuple[str, str]:
    """Read address and API key from the command's output. Raises RuntimeError if it does not start."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        text = output.read_text(encoding="utf-8")
        url, key = READY.search(text), KEY.search(text)
        if url and key:
            return url[1], key[1]
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"luminary up did not start:\n{output.read_text(encoding='utf-8')}")
