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
    rows = {line.split("│")[1].strip(): line.split("│")[2:] for line in shown.splitlines() if "│" in line}
    assert {"dense", "edit", "generate"} <= rows.keys()
    live = int(rows["generate"][3])
    assert live >= 1
    assert "postgres: ok" in shown
    assert rows["webhooks due"]
