"""Hosts in network namespaces of their own, whose links to the test's namespace lose packets or are cut.

The test runs in a network namespace as well (`make network`), so that the machine's network stays as it is.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("ip", "nft")
TABLE = "inet luminary"


def use_own_network() -> None:
    """Switch on the loopback device of this namespace. Fails outside of a namespace of the test's own."""
    devices = {line.partition(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]}
    assert devices == {"lo"}, "run `make network`, which runs the tests in a new network namespace"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    assert not missing, f"these tests need {', '.join(missing)}"
    run("ip", "link", "set", "lo", "up")


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@dataclass(frozen=True)
class NetworkHost:
    """A host. address: where it reaches the test's namespace."""

    name: str
    address: str

    def command(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a command on this host."""
        return ["ip", "netns", "exec", self.name, *command]

    @contextmanager
    def losing(self, percent: int) -> Iterator[None]:
        """Lose this share of the packets, in each direction, until the block ends; 100 cuts the host off."""
        nft = self.command(["nft"])
        some = "" if percent == 100 else f"numgen random mod 100 < {percent}"
        run(*nft, f"add table {TABLE}")
        for hook, direction in (("input", "iifname"), ("output", "oifname")):
            run(*nft, f"add chain {TABLE} {hook} {{ type filter hook {hook} priority 0; }}")
            run(*nft, f'add rule {TABLE} {hook} {direction} != "lo" {some} drop')
        try:
            yield
        finally:
            run(*nft, f"delete table {TABLE}")


@contextmanager
def network_host(name: str, number: int) -> Iterator[NetworkHost]:
    """A host with a link to this namespace; number: chooses its addresses, 10.77.<number>.1 and .2."""
    here, there = f"luminary{number}", f"host{number}"
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        run("ip", "addr", "add", f"10.77.{number}.1/24", "dev", here)
        run("ip", "link", "set", here, "up")
        host = NetworkHost(name, f"10.77.{number}.1")
        run(*host.command(["ip", "link", "set", "lo", "up"]))
        run(*host.command(["ip", "addr", "add", f"10.77.{number}.2/24", "dev", there]))
        run(*host.command(["ip", "link", "set", there, "up"]))
        yield host
    finally:
        run("ip", "netns", "delete", name)
