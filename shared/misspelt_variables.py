"""Warn of environment variables that look like misspelt settings; otherwise they are silently ignored."""

import logging
import os
import re
from collections.abc import Iterable, Mapping

from pydantic_settings import BaseSettings

from shared.settings import FILE_SUFFIX
from shared.spelling import nearest_word

logger = logging.getLogger(__name__)

OWN_PREFIXES = ("GATEWAY_", "WORKER_", "TOKENIZER_")
"""Prefixes that only Luminary uses: any unknown variable that starts with one is reported."""
SERVICE_LINK = re.compile(r".*(_SERVICE_HOST|_SERVICE_PORT(_.*)?|_PORT_\d+_(TCP|UDP)(_.*)?)")
"""Variables that Kubernetes sets in every container, for services of any name; they are not reported."""
NEAR = 0.8
"""Similarity (0 to 1) to a setting from which a variable with a common prefix (S3_, JOB_) is reported."""


def variables_of(part: type[BaseSettings]) -> list[str]:
    """Names of the environment variables of a settings class."""
    prefix = part.model_config.get("env_prefix") or ""
    return [f"{prefix}{name}".upper() for name in part.model_fields]


def misspelt_variables(given: Mapping[str, str], parts: Iterable[type[BaseSettings]]) -> list[str]:
    """A sentence for each variable that is probably a misspelt setting.

    given: the environment. parts: settings classes; they must contain all settings of each of their prefixes.
    """
    known = [variable for part in parts for variable in variables_of(part)]
    prefixes = {variable.partition("_")[0] + "_" for variable in known}
    sentences: list[str] = []
    for variable in sorted(given):
        prefix = variable.upper().partition("_")[0] + "_"
        is_known = variable.upper().removesuffix(FILE_SUFFIX) in known
        if is_known or prefix not in prefixes or SERVICE_LINK.fullmatch(variable):
            continue
        nearest = nearest_word(variable, known, NEAR)
        if nearest:
            sentences.append(f"{variable} is not a setting; did you mean {nearest}?")
        elif prefix in OWN_PREFIXES:
            sentences.append(f"{variable} is not a setting; docs/operations.md lists all settings.")
    return sentences


def warn_of_misspelt_variables(parts: Iterable[type[BaseSettings]]) -> None:
    """Log a warning for each misspelt variable; called when a process starts."""
    for sentence in misspelt_variables(os.environ, parts):
        logger.warning("unknown environment variable", extra={"reason": sentence})
