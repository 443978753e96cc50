"""Content credentials (C2PA 2.4): sign pictures with the operator's certificate, and read those of files.

The library is large and is imported when it is first needed. Every call has its own context, because contexts
belong to the thread that made them.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509

from shared.settings import ProvenanceSettings, SettingsError

if TYPE_CHECKING:
    from c2pa import Context

MEDIA_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/webp"})
"""Formats that are signed."""
GENERATOR: Final = {"name": "Luminary", "version": version("luminary")}
QUIET: Final[Mapping[str, Any]] = {
    "builder": {"thumbnail": {"enabled": False}},
    # no request leaves the gateway because of a file that somebody has sent
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
"""Settings of the library: no thumbnails, which would make files three times as large, and no network."""
COMPOSITE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
INVALID, VALID, TRUSTED = "Invalid", "Valid", "Trusted"


@dataclass(frozen=True)
class Parent:
    """The picture that an edit was made of. file: its bytes, if its own credentials have to be kept."""

    title: str
    media_type: str
    file: bytes | None = None


@dataclass(frozen=True)
class Facts:
    """What the credentials of a drawn picture say.

    identifier: its public id. created_at: RFC 3339. numerics: numerics identity. parent: None unless it is an
    edit.
    """

    identifier: str
    created_at: str
    model: str | None
    numerics: str | None
    tokens_sha256: str | None
    parent: Parent | None = None


@dataclass(frozen=True)
class ReadCredentials:
    """The credentials in a file. state: INVALID, VALID or TRUSTED. own: whether our certificate signed."""

    state: str
    issuer: str | None
    generator: str | None
    own: bool


class ContentCredentials:
    """Signs with one certificate. Methods block, and may run in any thread."""

    def __init__(self, certificates: bytes, private_key: bytes, tsa_url: str | None = None) -> None:
        """certificates: PEM, the signer's first, up to the root. Raises ValueError if they cannot be read."""
        chain = x509.load_pem_x509_certificates(certificates)
        self._certificates, self._private_key = certificates, private_key
        self._tsa_url = tsa_url
        self._serial = str(chain[0].serial_number)

    @classmethod
    def of(cls, settings: ProvenanceSettings) -> "ContentCredentials | None":
        """None if nothing is to be signed. Raises SettingsError for files that cannot be used."""
        if not settings.content_credentials or settings.certificate is None or settings.private_key is None:
            return None
        if find_spec("c2pa") is None:
            raise SettingsError("PROVENANCE_CERTIFICATE: this needs pip install 'luminary[credentials]'")
        try:
            files = [Path(file).read_bytes() for file in (settings.certificate, settings.private_key)]
            return cls(files[0], files[1], settings.tsa_url)
        except (OSError, ValueError) as error:
            raise SettingsError(f"PROVENANCE_CERTIFICATE, PROVENANCE_PRIVATE_KEY: {error}") from error

    def sign(self, file: bytes, media_type: str, facts: Facts) -> bytes:
        """The file with credentials; its pixels stay as they are. Raises c2pa's C2paError."""
        from c2pa import Builder, C2paBuilderIntent, C2paDigitalSourceType, C2paSignerInfo, Signer

        tsa_url = None if self._tsa_url is None else self._tsa_url.encode()
        info = C2paSignerInfo(b"es256", self._certificates, self._private_key, tsa_url)
        builder = Builder(self._manifest(media_type, facts), context=make_context())
        if facts.parent is None:
            builder.set_intent(C2paBuilderIntent.CREATE, C2paDigitalSourceType.TRAINED_ALGORITHMIC_MEDIA)
        else:
            builder.set_intent(C2paBuilderIntent.EDIT)
            builder.add_action({"action": "c2pa.edited", "digitalSourceType": COMPOSITE})
            if facts.parent.file is not None:
                ingredient = {"title": facts.parent.title, "relationship": "parentOf"}
                builder.add_ingredient(ingredient, facts.parent.media_type, io.BytesIO(facts.parent.file))
        signed = io.BytesIO()
        builder.sign(Signer.from_info(info), media_type, io.BytesIO(file), signed)
        return signed.getvalue()

    def _manifest(self, media_type: str, facts: Facts) -> dict[str, Any]:
        disclosure = {"modelType": "c2pa.types.model.generator", "modelName": facts.model}
        drawing = {
            "identifier": facts.identifier,
            "created": facts.created_at,
            "numerics": facts.numerics,
            "tokensSha256": facts.tokens_sha256,
        }
        manifest: dict[str, Any] = {
            "claim_generator_info": [GENERATOR],
            "title": facts.identifier,
            "format": media_type,
            "assertions": [
                {"label": "c2pa.ai-disclosure", "data": present(disclosure)},
                {"label": "org.luminary.drawing", "data": present(drawing)},
            ],
        }
        if facts.parent is not None and facts.parent.file is None:
            parent = {"title": facts.parent.title, "format": facts.parent.media_type}
            instance = {"instance_id": f"urn:luminary:{facts.parent.title}", "relationship": "parentOf"}
            manifest["ingredients"] = [parent | instance]
        return manifest

    def is_own(self, serial: object) -> bool:
        """Whether a certificate's serial number is that of ours."""
        return str(serial) == self._serial


def read_credentials(file: bytes, media_type: str, own: ContentCredentials | None) -> ReadCredentials | None:
    """The credentials in a file; None if it has none that can be read. own: recognises our certificate."""
    if media_type not in MEDIA_TYPES or find_spec("c2pa") is None:
        return None
    from c2pa import C2paError, Reader

    try:
        reader = Reader(media_type, io.BytesIO(file), context=make_context())
        state = reader.get_validation_state() or INVALID
        manifest = reader.get_active_manifest() or {}
    except (C2paError, ValueError):
        return None
    signature: Mapping[str, Any] = manifest.get("signature_info") or {}
    generators: list[Mapping[str, Any]] = manifest.get("claim_generator_info") or [{}]
    ours = own is not None and own.is_own(signature.get("cert_serial_number"))
    return ReadCredentials(
        state=state,
        issuer=signature.get("issuer"),
        generator=generators[0].get("name"),
        own=ours and state in {VALID, TRUSTED},
    )


def make_context() -> "Context":
    """A context of the library with our settings."""
    from c2pa import Context, Settings

    return Context.builder().with_settings(Settings.from_json(json.dumps(QUIET))).build()


def present(data: Mapping[str, str | None]) -> dict[str, str]:
    """The entries that have a value."""
    return {name: value for name, value in data.items() if value is not None}
