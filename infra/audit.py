"""Look up known vulnerabilities of all locked packages: `python -m infra.audit`, with pip-audit.

The exit status is 0 if there are none, 1 if there are some, 2 if the vulnerability service gave no answer.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "constraints.txt"
COMMAND = ("-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip", "--format", "json")
CLEAN, VULNERABLE, UNKNOWN = range(3)


@dataclass(frozen=True)
class Verdict:
    """The lines to print, and the exit status."""

    lines: list[str]
    status: int


def judge(output: str, errors: str) -> Verdict:
    """The verdict on pip-audit's report; without a report, or with no package known, there is no answer."""
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (errors.strip().splitlines() or ["no answer"])[-1]
        return Verdict(
            [f"audit: nothing was checked, the vulnerability service does not answer: {last}"], UNKNOWN
        )
    known = [package for package in packages if "skip_reason" not in package]
    if not known:
        return Verdict(
            ["audit: nothing was checked, the vulnerability service of this machine knows no package"],
            UNKNOWN,
        )
    lines = [
        f"{package['name']} {package['version']}: {fault['id']}, fixed in {', '.join(fault['fix_versions'])}"
        for package in known
        for fault in package["vulns"]
    ]
    skipped = len(packages) - len(known)
    summary = f"audit: {len(known)} packages, {len(lines)} vulnerabilities, {skipped} packages unknown"
    return Verdict([*lines, summary], VULNERABLE if lines else CLEAN)


def main() -> None:
    """Run pip-audit and print the verdict."""
    done = subprocess.run(  # noqa: S603  (our own environment's program)
        [sys.executable, *COMMAND], capture_output=True, text=True, check=False
    )
    verdict = judge(done.stdout, done.stderr)
    print("\n".join(verdict.lines))  # noqa: T201  (a program)
    sys.exit(verdict.status)


if __name__ == "__main__":
    main()
