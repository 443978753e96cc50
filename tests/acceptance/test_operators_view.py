"""`luminary top` on a running platform."""

import subprocess
import sys
from pathlib import Path

from tests.support.platforms.installation import Installation
from tests.support.platforms.platform import PlatformUnderTest
from tests.support.source_tree import ROOT


def test_top_shows_queues_workers_and_traffic(
    installation: Installation, platform: PlatformUnderTest
) -> None:
    platform.finished(platform.ask())
    program = str(Path(sys.executable).with_name("luminary"))
    command = [program, "top", "--url", installation.gateway_url, "--once", "--every", "0.5"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rows = {line.split()[0]: line.split() for line in shown.splitlines() if line.strip()}
    assert {"dense", "edit", "generate"} <= rows.keys()
    # queue, waiting, running, longest wait with its unit, live
    assert int(rows["generate"][5]) >= 1
    assert "postgres: ok" in shown
    assert rows["webhooks"]
