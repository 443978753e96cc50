"""Start a command that cannot outlive its parent; run as a script, it replaces itself by the command.

Usage: python tether.py PARENT_PID SIGNAL UID:GID COMMAND [ARGUMENT ...]

Linux sends SIGNAL to the command when its parent dies, however it dies (prctl(2), PR_SET_PDEATHSIG).
The setting survives execve but not a change of user, so the user is changed first. PostgreSQL refuses to
run as root: UID:GID names the account to become ("-" keeps the caller's). The command keeps the right to
pass through folders of other users (CAP_DAC_OVERRIDE), since a data folder below a private home or
temporary folder would be out of its reach. On other systems the command runs untethered.

Imports only the standard library and nothing of this project: it starts in milliseconds.
"""

import ctypes
import os
import sys
from typing import ClassVar

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
LINUX_CAPABILITY_VERSION_3 = 0x20080522


class CapabilityHeader(ctypes.Structure):
    """`struct __user_cap_header_struct` of capset(2)."""

    _fields_: ClassVar = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class CapabilityData(ctypes.Structure):
    """`struct __user_cap_data_struct` of capset(2); version 3 takes an array of two."""

    _fields_: ClassVar = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def become(user: int, group: int) -> None:
    """Change to another account, and keep passage through private folders where the kernel grants it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    mask = 1 << CAP_DAC_OVERRIDE
    header = CapabilityHeader(LINUX_CAPABILITY_VERSION_3, 0)
    data = (CapabilityData * 2)(CapabilityData(mask, mask, mask))
    if libc.capset(ctypes.byref(header), data) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def tether(parent: int, signal_number: int) -> None:
    """Ask the kernel for SIGNAL at the parent's death; leave at once when it has died already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def main(arguments: list[str]) -> None:
    """Become the command named by the arguments."""
    parent, signal_number, account, *command = arguments
    if account != "-":
        user, group = account.split(":")
        become(int(user), int(group))
    if sys.platform == "linux":
        tether(int(parent), int(signal_number))
    os.execvp(command[0], command)  # noqa: S606  (the whole point: no shell, no second process)


if __name__ == "__main__":
    main(sys.argv[1:])
