"""Kill the servers of a platform while it draws: pictures are the same, and logs stay short."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from infra.local.kept_key import read_kept_key
from infra.local.run_file import ProcessState, RunningProcess, read_run
from tests.support.models.random_models import write_decoder, write_movqgan
from tests.support.platforms.luminary_up import ask, found, up
from tests.support.platforms.platform import eventually
from tests.support.servers.supervised import SupervisorOutput, wait_for_line

SERVERS = ("postgres", "valkey", "seaweedfs")
JOBS = 6
LONGEST_LOG = 60
"""Limit of lines that a service logs for six jobs and one outage. One line per try would be hundreds."""
REQUEST = 'HTTP/1.1"'
GONE, BACK = "does not answer; retrying until it does", "answers again"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_decoder(tmp_path_factory.mktemp("models") / "random")
    write_movqgan(folder / "movqgan")
    return folder


def process(folder: Path, name: str) -> RunningProcess:
    """The supervisor's entry for a process."""
    run = read_run(folder)
    assert run is not None
    return next(one for one in run.processes if one.name == name)


def post(url: str, key: str, seed: int) -> str:
    """Post a job until the gateway accepts it, although its database may be down; return the job's id."""

    def submit() -> str | None:
        answer = ask(f"{url}/v1/jobs", key, {"prompt": "a ball", "seed": seed, "size": "96x96"}, wait=0)
        return str(answer.json()["id"]) if answer.status_code in {200, 202} else None

    return eventually(submit, "an accepted job", 90)


def finished(url: str, key: str, job_id: str) -> dict[str, Any]:
    """Wait until the job has ended and return it."""

    def look() -> dict[str, Any] | None:
        answer = ask(f"{url}/v1/jobs/{job_id}", key)
        ended = {"succeeded", "failed", "canceled", "expired"}
        return answer.json() if answer.status_code == 200 and answer.json()["status"] in ended else None

    return eventually(look, f"the end of {job_id}", 120)


def hashes(url: str, key: str, kill: RunningProcess | None) -> list[str]:
    """Token hashes of six jobs with different seeds. kill: process to kill when all jobs are posted."""
    jobs = [post(url, key, seed) for seed in range(JOBS)]
    if kill is not None:
        os.kill(kill.pid, signal.SIGKILL)
    ended = [finished(url, key, job_id) for job_id in jobs]
    assert [job["status"] for job in ended] == ["succeeded"] * JOBS, ended
    return [job["outputs"][0]["tokens_sha256"] for job in ended]


def lines(folder: Path) -> dict[str, list[str]]:
    """The log of each service so far, without the gateway's lines for requests."""
    logs = {name: folder / "logs" / f"{name}.log" for name in ("gateway", "worker", "io-worker")}
    return {
        name: [line for line in log.read_text().splitlines() if REQUEST not in line]
        for name, log in logs.items()
    }


@pytest.mark.long
def test_jobs_succeed_while_servers_are_killed_and_each_outage_is_one_line(
    tmp_path: Path, model: Path
) -> None:
    """Fixed bug: after a server was killed, the platform did nothing but log ten lines a second."""
    data = tmp_path / "data"
    with up(data, model) as command:
        url = found(r"is ready after \d+ s: (http://\S+)", command)
        wait_for_line(command, "paste into another terminal")
        output, key = SupervisorOutput(command), read_kept_key(data)
        assert key is not None
        undisturbed = hashes(url, key, None)
        for name in SERVERS:
            before, old = lines(data), process(data, name)
            assert hashes(url, key, old) == undisturbed, name

            def is_back(name: str = name, old: RunningProcess = old) -> bool:
                now = process(data, name)
                return now.pid != old.pid and now.state is ProcessState.RUNNING

            eventually(is_back, f"the return of {name}", 90)
            for service, logged in lines(data).items():
                new = logged[len(before[service]) :]
                assert len(new) <= LONGEST_LOG, "\n".join(new)
                for server in ("the database", "the object storage", "the broker"):
                    begun = [line for line in new if f"{server} {GONE}" in line]
                    ended = [line for line in new if f"{server} {BACK}" in line]
                    assert len(begun) <= 2, "\n".join(new)
                    assert len(ended) <= len(begun) + 1, "\n".join(new)
                assert not [line for line in new if "Traceback" in line], "\n".join(new)
        shown = "".join(output.lines)
        assert [shown.count(f"luminary: {name} serves again after") for name in SERVERS] == [1, 1, 1], shown
