"""Mutual TLS certificates for the connections between the parts of one embedded server.

Each data folder has its own certificate authority, which signs one certificate for both ends of a connection.
The authority's key is never stored, so that nobody can issue a second certificate. The certificates are valid
until 2120: they do not expire during the life of a data folder, and a wrong clock does not prevent a start.
"""

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from infra.local.account import Account
from infra.local.private_folder import write_private

AUTHORITY, CERTIFICATE, KEY = "authority.pem", "certificate.pem", "key.pem"
FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)


def ensure_certificates(folder: Path, host: str, owner: Account | None) -> None:
    """Write the authority, certificate and key for `host` (an IP address), unless all three files exist."""
    if all((folder / name).exists() for name in (AUTHORITY, CERTIFICATE, KEY)):
        return
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = (
        unsigned("luminary authority", authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        unsigned("luminary", key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, data in (
        (AUTHORITY, authority.public_bytes(Encoding.PEM)),
        (CERTIFICATE, certificate.public_bytes(Encoding.PEM)),
        (KEY, private),
    ):
        write_private(folder / name, data.decode("ascii"), owner)


def unsigned(common_name: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    """A certificate builder for this name and key, with the folder's authority as issuer."""
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "luminary authority")]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(UNTIL)
    )
