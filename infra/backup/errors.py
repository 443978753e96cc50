"""Errors of backups.

BackupError
├── BackupFileError      the file is not a whole backup, or cannot be written
├── BackupKeyError       the file is encrypted and the key does not fit
└── RestoreRefusedError  the installation is not in a state that a backup may replace
"""

from shared.errors import LuminaryError


class BackupError(LuminaryError):
    """Base of the errors of backups."""

    code = "backup_failed"
    hint = "Read the message; it names the cause."


class BackupFileError(BackupError):
    """The file is not a whole backup, is damaged, or cannot be written."""

    code = "backup_file_invalid"
    hint = "Use another file."


class BackupKeyError(BackupError):
    """A recipient or an identity cannot be used."""

    code = "backup_key_invalid"
    hint = "Give a public key to `luminary backup`, and its private key to `luminary restore`."


class RestoreRefusedError(BackupError):
    """The installation is in use or has content that a backup would replace."""

    code = "restore_refused"
    hint = "Stop all services first; --replace deletes what the database holds."
