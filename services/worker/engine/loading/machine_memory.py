"""Memory that this process can still allocate: on the machine, within its control groups, on a GPU.

In a container the machine may have more free memory than the control group allows, and the kernel kills a
process that exceeds the group's limit. Both versions of control groups are supported, with the limits of all
parent groups.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import torch

UNLIMITED: Final = 1 << 60
"""A limit of this many bytes or more means no limit: version 1 writes a very large number instead."""

_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = ("memory.max", "memory.current", "inactive_file")


def available_bytes(
    device: torch.device, *, proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Bytes that can be allocated on the device, or None if the system does not report them."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free
    figures = [*_machine(proc / "meminfo"), *_control_groups(proc / "self/cgroup", groups)]
    return min(figures, default=None)


def _machine(file: Path) -> Iterator[int]:
    """`MemAvailable`: free memory and reclaimable caches."""
    for line in _lines(file):
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            yield int(value.split()[0]) * 1024


def _control_groups(membership: Path, mounts: Path) -> Iterator[int]:
    """Bytes left in each control group of the process that has a limit."""
    for line in _lines(membership):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _left_in(mounts, path, _V2)
        elif "memory" in controllers.split(","):
            yield from _left_in(mounts / "memory", path, _V1)


def _left_in(mount: Path, path: str, names: tuple[str, str, str]) -> Iterator[int]:
    """Bytes left in a group and its parents. Missing files are skipped: a container may see only the root."""
    limit_name, usage_name, cache_name = names
    group = mount / path.strip("/")
    for folder in (group, *group.parents):
        limit, usage = _number(folder / limit_name), _number(folder / usage_name)
        if limit is not None and usage is not None and limit < UNLIMITED:
            yield max(0, limit - usage + _counted(folder / "memory.stat", cache_name))
        if folder == mount:
            return


def _counted(file: Path, name: str) -> int:
    """An entry of memory.stat in bytes, 0 if it is missing; inactive file pages can be reclaimed."""
    for line in _lines(file):
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _number(file: Path) -> int | None:
    """The number in a file; None for `max` and for a missing file."""
    text = "".join(_lines(file)).strip()
    return int(text) if text.isdecimal() else None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
