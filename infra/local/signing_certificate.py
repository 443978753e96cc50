"""A development certificate for content credentials, in the data folder: nobody else trusts it.

A certificate that others trust comes from a certificate authority on the trust list of C2PA; it is set with
PROVENANCE_CERTIFICATE and PROVENANCE_PRIVATE_KEY.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from infra.local.private_folder import write_private

CERTIFICATE, KEY = "signing_certificate.pem", "signing_key.pem"
ASKED = "PROVENANCE_CONTENT_CREDENTIALS"
VARIABLES: Final = ("PROVENANCE_CERTIFICATE", "PROVENANCE_PRIVATE_KEY")
FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
"""As for the servers' certificates: they do not expire during the life of a data folder."""


def signing_environment(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The variables of the folder's certificate, made if it is missing; empty if others are given.

    Empty also if nobody asked for credentials: with them, two downloads of a picture differ in their bytes.
    """
    asked = given.get(ASKED, "").lower() in {"1", "on", "true", "yes"}
    if not asked or any(given.get(variable) for variable in VARIABLES):
        return {}
    certificate, key = folder / CERTIFICATE, folder / KEY
    if not (certificate.exists() and key.exists()):
        make_certificate(certificate, key)
    return dict(zip(VARIABLES, (str(certificate.absolute()), str(key.absolute())), strict=True))


def make_certificate(certificate: Path, key: Path) -> None:
    """Write a chain of root and signer, and the signer's key. The root's key is not kept.

    C2PA refuses a certificate that has signed itself (specification 2.4, 14.5.1).
    """
    root_key, own_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = (
        unsigned("Luminary development authority", root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage(certificates=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    own = (
        unsigned("Luminary development", own_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    chain = b"".join(one.public_bytes(Encoding.PEM) for one in (own, root))
    private = own_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(key, private.decode("ascii"))
    write_private(certificate, chain.decode("ascii"))


def unsigned(common_name: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    """A certificate builder for this name and key, with the development authority as issuer."""
    return (
        x509.CertificateBuilder()
        .subject_name(name_of(common_name))
        .issuer_name(name_of("Luminary development authority"))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(UNTIL)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def name_of(common_name: str) -> x509.Name:
    """A name with the organization, which C2PA shows as the issuer."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Luminary"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def usage(*, certificates: bool) -> x509.KeyUsage:
    """Extension that lets a key sign certificates, or files."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )
