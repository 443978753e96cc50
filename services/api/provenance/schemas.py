"""The response body of /v1/provenance/check."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

CHECK_EXAMPLE: dict[str, Any] = {
    "object": "provenance_check",
    "drawn_here": True,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "media_type": "image/jpeg",
    "width": 768,
    "height": 768,
    "registry": {
        "state": "found",
        "match": "near",
        "p_value": 4.1e-120,
        "matching_cells": 4310,
        "compared_cells": 9216,
        "image_id": "img_00t8bh6ef7f1pv3n8q0sxghg3w",
        "job_id": "job_00t8bh6dfsfk3t1a0b5n5scm5e",
    },
    "watermark": {"state": "found", "p_value": 2.2e-95, "cells": 9216},
    "content_credentials": {"state": "not_found", "validation": None, "issuer": None, "generator": None},
}


class State(StrEnum):
    """What a layer says."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"
    OFF = "off"


class Match(StrEnum):
    """How a picture was found in the registry."""

    PIXELS = "pixels"
    TOKENS = "tokens"
    NEAR = "near"


class RegistryLayer(BaseModel):
    """The registry of drawn pictures."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    state: State
    """`unavailable`: the pixels are not known, and the tokenizer service is away, which more checks need."""
    match: Match | None = None
    """`pixels`: the pixel data of the file are those of a drawn file. `tokens`: all codes are equal.
    `near`: many codes are equal, as `p_value` says."""
    p_value: float | None = None
    """Upper bound for the probability that an unrelated picture matches as well."""
    matching_cells: int | None = None
    """Cells with equal codes; null for a match of pixels."""
    compared_cells: int | None = None
    """Cells that both pictures have."""
    image_id: str | None = None
    """The picture, only if it belongs to the project of the API key; so is `job_id`."""
    job_id: str | None = None


class WatermarkLayer(BaseModel):
    """The noise of this installation in the codes of the picture."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    state: State
    """`off`: the operator has set no noise secret, so pictures carry no watermark."""
    p_value: float | None = None
    """Upper bound for the probability that a picture that was not drawn with the secret has such codes."""
    cells: int | None = None
    """Codes that were compared with the noise."""


class CredentialsLayer(BaseModel):
    """The content credentials (C2PA) in the file."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    state: State
    """`found`: this installation's certificate signed the file as it is. `not_found`: there are no
    credentials, or those of others."""
    validation: Literal["valid", "trusted", "invalid"] | None = None
    """Whether signature and hashes are right, whoever signed; null for a file without credentials."""
    issuer: str | None = None
    """Organization in the signer's certificate."""
    generator: str | None = None
    """Program that wrote the credentials."""


class ProvenanceCheck(BaseModel):
    """What each layer says about a picture."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_extra={"examples": [CHECK_EXAMPLE]})

    object: Literal["provenance_check"] = "provenance_check"
    drawn_here: bool
    """Whether at least one layer has found that this installation drew the picture. False proves nothing."""
    sha256: str
    """Hash of the file that was sent."""
    media_type: str
    width: int
    height: int
    registry: RegistryLayer
    watermark: WatermarkLayer
    content_credentials: CredentialsLayer
