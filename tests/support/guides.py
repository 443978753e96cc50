"""Send every request of a guide: its shell blocks run in one shell, in order, against a running platform.

A request must succeed, unless the block after it shows another status (`HTTP/1.1 409`).
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STATUS = re.compile(r"HTTP/1\.1 (\d{3})")
PREAMBLE = """
set -euo pipefail
curl() { command curl -sS -w '%{stderr}SENT %{http_code} %{method} %{url}\\n' "$@"; }
"""
SECONDS = 300.0


@dataclass(frozen=True)
class Sent:
    """A request of a guide: number of its shell block, status of the answer, method and URL."""

    block: int
    status: int
    request: str


def shell_blocks(page: Path) -> list[tuple[str, int | None]]:
    """The guide's shell blocks, each with the status that the block after it shows."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    after = [*blocks[1:], ("", "")]
    found: list[tuple[str, int | None]] = []
    for (kind, text), (next_kind, answer) in zip(blocks, after, strict=True):
        shown = STATUS.match(answer) if next_kind == "http" else None
        if kind == "sh":
            found.append((text, int(shown[1]) if shown else None))
    return found


def send_all(page: Path, folder: Path, variables: dict[str, str]) -> list[Sent]:
    """Run the guide in the folder and return its requests. Fails if a command fails."""
    blocks = shell_blocks(page)
    script = PREAMBLE + "".join(
        f"echo BLOCK {number} >&2\n{text}\n" for number, (text, _) in enumerate(blocks)
    )
    run = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert run.returncode == 0, f"{page.name}: {run.stdout[-3000:]}\n{run.stderr[-3000:]}"
    sent: list[Sent] = []
    block = 0
    for line in run.stderr.splitlines():
        word, _, rest = line.partition(" ")
        if word == "BLOCK":
            block = int(rest)
        elif word == "SENT":
            status, _, request = rest.partition(" ")
            sent.append(Sent(block, int(status), request))
    return sent


def unexpected(page: Path, sent: list[Sent]) -> list[Sent]:
    """Requests with another status than the guide shows: its last request of a block, or below 400."""
    wrong: list[Sent] = []
    for number, (_, shown) in enumerate(shell_blocks(page)):
        of_block = [one for one in sent if one.block == number]
        for one in of_block:
            is_last = one is of_block[-1]
            if (is_last and shown is not None and one.status != shown) or (
                (shown is None or not is_last) and not 200 <= one.status < 400
            ):
                wrong.append(one)
    return wrong
