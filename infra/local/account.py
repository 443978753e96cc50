"""The unprivileged account of the embedded servers when Luminary runs as root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """The user and group that a process runs as."""

    user: int
    group: int


def server_account() -> Account | None:
    """`nobody` when this process is root; otherwise None: the servers run as the current user."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def has_passwd_entry(user: int) -> bool:
    """True if the user id has a name on this system; in containers it often has none."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def can_read(file: Path, account: Account) -> bool:
    """True if the permission bits of the file and of all folders above it let the account read it."""
    return all(may(place, account, 0o5 if place == file else 0o1) for place in (file, *file.parents))


def may(place: Path, account: Account, wanted: int) -> bool:
    """Whether the account's class (owner, group or others) has all of the `wanted` permission bits."""
    status = place.stat()
    shift = 6 if status.st_uid == account.user else 3 if status.st_gid == account.group else 0
    return status.st_mode >> shift & wanted == wanted


def hand_over(folder: Path, account: Account | None) -> None:
    """Make the account the owner of the folder and its content; None changes nothing.

    A folder that already belongs to the account is left as it is: root must not change owners in a folder
    whose content the account controls.
    """
    if account is None or folder.stat().st_uid == account.user:
        return
    for place, _, files in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in files)):  # noqa: PTH118  (many files)
            os.chown(path, account.user, account.group, follow_symlinks=False)
