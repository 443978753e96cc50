"""Script that replaces itself by a command which has no privileges and gets a signal when its parent dies.

Usage: python tether.py PARENT_PID SIGNAL UID:GID FOLDER COMMAND [ARGUMENT ...]

SIGNAL: Linux sends it to the command when the parent dies for any reason (prctl(2), PR_SET_PDEATHSIG). The
setting survives execve but not a change of user, so the user is changed first.
UID:GID: the account of the command, without supplementary groups and capabilities; "-" keeps the caller's.
FOLDER: the working directory; "-" keeps the caller's.

The script enters the folder and opens the program's file before it changes the user, so that the account
needs no access to the folders above them; the command finds its folder as /proc/self/cwd. Only the command's
user can read the files that it creates (umask 077), and set-user-id programs give it no privileges
(PR_SET_NO_NEW_PRIVS). On systems other than Linux the command gets no signal when the parent dies.

The script imports only the standard library, so that it starts in milliseconds.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
MOST_CAPABILITIES = 64
PRIVATE_UMASK = 0o077


def control(option: int, value: int) -> None:
    """Call prctl(2); an option that this kernel does not support has no effect."""
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def become(user: int, group: int) -> None:
    """Change to another account permanently; with the change of user the kernel removes all capabilities."""
    for capability in range(MOST_CAPABILITIES):
        control(PR_CAPBSET_DROP, capability)
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def tether(parent: int, signal_number: int) -> None:
    """Ask the kernel for a signal at the parent's death; exit at once when the parent is already dead."""
    control(PR_SET_NO_NEW_PRIVS, 1)
    control(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        sys.exit(1)


def execute(command: list[str], program: int) -> None:
    """Replace this process by the command.

    program: open file descriptor of the program, used when its path is not accessible; -1 without one.
    """
    try:
        os.execvp(command[0], command)  # noqa: S606  (the whole point: no shell, no second process)
    except PermissionError:
        if program < 0:
            raise
        os.execve(program, command, os.environ)  # noqa: S606  (as above)


def main(arguments: list[str]) -> None:
    """Replace this process by the command in the arguments; exit with a one-line error if that fails."""
    parent, signal_number, account, folder, *command = arguments
    os.umask(PRIVATE_UMASK)
    program = -1
    try:
        if folder != "-":
            os.chdir(folder)
        if account != "-":
            program = os.open(command[0], os.O_RDONLY | os.O_CLOEXEC)
            user, group = account.split(":")
            become(int(user), int(group))
        if sys.platform == "linux":
            tether(int(parent), int(signal_number))
        execute(command, program)
    except OSError as error:
        sys.exit(f"cannot start {command[0]} as {account} in {folder}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
