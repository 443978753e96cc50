"""Write the tables of settings into a page: `python -m infra.local.settings_table docs/operations.md`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from services.api.settings import GatewaySettings
from services.tokenizer.settings import TokenizerServiceSettings
from services.worker.settings import GpuWorkerSettings, HealthSettings
from shared.settings import (
    BrokerSettings,
    DatabaseSettings,
    JobSettings,
    LogSettings,
    NoiseSettings,
    ProvenanceSettings,
    RetentionSettings,
    StorageSettings,
    TokenizerAddress,
    WebhookSettings,
)

SECTIONS: dict[str, type[BaseSettings]] = {
    "Gateway and workers: database": DatabaseSettings,
    "Gateway and workers: broker": BrokerSettings,
    "Gateway and workers: pictures": StorageSettings,
    "Gateway and workers: jobs": JobSettings,
    "Gateway and io worker: webhooks": WebhookSettings,
    "Gateway and io worker: retention": RetentionSettings,
    "Gateway": GatewaySettings,
    "GPU worker": GpuWorkerSettings,
    "GPU worker and io worker: probes": HealthSettings,
    "GPU worker and tokenizer service: noise": NoiseSettings,
    "Gateway and GPU worker: provenance": ProvenanceSettings,
    "Gateway and workers: address of the tokenizer service": TokenizerAddress,
    "Tokenizer service": TokenizerServiceSettings,
    "Every process: logs": LogSettings,
}
BEGIN, END = "<!-- settings -->", "<!-- end of settings -->"


def settings_table() -> str:
    """The Markdown of all settings, a section with a table for each class of settings."""
    return "\n".join(lines())


def lines() -> Iterator[str]:
    """The lines of all sections."""
    for title, part in SECTIONS.items():
        yield f"### {title}\n\n| variable | default | meaning |\n|---|---|---|"
        prefix = part.model_config.get("env_prefix", "")
        for name, field in part.model_fields.items():
            yield f"| `{prefix.upper()}{name.upper()}` | {default_of(field)} | {meaning_of(field)} |"
        yield ""


def default_of(field: FieldInfo) -> str:
    """The default as the value of an environment variable."""
    value: Any = field.default
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, list):
        value = ",".join(map(str, cast("list[object]", value)))
    return "" if value in (None, "") else f"`{value}`"


def meaning_of(field: FieldInfo) -> str:
    """The setting's docstring on one line."""
    return " ".join((field.description or "").split())


def with_table(page: str) -> str:
    """The page with its settings section, between BEGIN and END, replaced."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{settings_table()}\n{END}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_table(file.read_text()))
