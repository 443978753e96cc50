"""Access control of the embedded SeaweedFS: an S3 key for clients, mutual TLS and tokens between its parts.

Master, volume server and filer have HTTP and gRPC ports, which by default accept reads, writes and deletes
from every program. This configuration requires a client certificate from the folder's own authority (mutual
TLS), and a signed token (JWT) for every read and write. Source: `weed scaffold -config=security`.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from infra.local.account import Account
from infra.local.certificates import AUTHORITY, CERTIFICATE, KEY, ensure_certificates
from infra.local.private_folder import write_private

TOKENS = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
GRPC_PARTS = ("volume", "master", "filer", "s3", "client")
HTTPS_PARTS = ("volume", "master", "filer")
S3_CONFIG = "s3.json"


def write_security(folder: Path, own_folder: str, host: str, token_key: str, owner: Account | None) -> None:
    """Write `security.toml` and the certificates.

    own_folder: path of `folder` as the server process sees it; owner: the account that gets the files.
    """
    ensure_certificates(folder, host, owner)
    write_private(folder / "security.toml", "\n".join(lines(own_folder, token_key)) + "\n", owner)


def lines(folder: str, token_key: str) -> Iterator[str]:
    """The lines of `security.toml`."""
    for table in TOKENS:
        yield f'[{table}]\nkey = "{token_key}:{table}"'
    authority = f'ca = "{folder}/{AUTHORITY}"'
    identity = f'cert = "{folder}/{CERTIFICATE}"\nkey = "{folder}/{KEY}"'
    yield f"[grpc]\n{authority}"
    for part in GRPC_PARTS:
        yield f"[grpc.{part}]\n{identity}"
    for part in HTTPS_PARTS:
        yield f"[https.{part}]\n{identity}\n{authority}"
    yield f"[https.client]\nenabled = true\n{identity}\n{authority}"


def write_s3_identity(
    folder: Path, access_key_id: str, secret_access_key: str, owner: Account | None
) -> None:
    """Write the only S3 identity, with all rights; without an identity, S3 requests need no credentials."""
    identity = {
        "name": "luminary",
        "credentials": [{"accessKey": access_key_id, "secretKey": secret_access_key}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    write_private(folder / S3_CONFIG, json.dumps({"identities": [identity]}), owner)
