"""Write the table of settings into a page: `python -m infra.local.settings_table docs/operations.md`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from services.tokenizer.settings import TokenizerServiceSettings
from services.worker.settings import GpuWorkerSettings
from shared.settings import (
    BrokerSettings,
    DatabaseSettings,
    GatewaySettings,
    JobSettings,
    LogSettings,
    StorageSettings,
)

SECTIONS: dict[str, type[BaseSettings]] = {
    "Gateway and workers: database": DatabaseSettings,
    "Gateway and workers: broker": BrokerSettings,
    "Gateway and workers: pictures": StorageSettings,
    "Gateway and workers: jobs": JobSettings,
    "Gateway": GatewaySettings,
    "GPU worker": GpuWorkerSettings,
    "Tokenizer service, and its address for workers": TokenizerServiceSettings,
    "Every process: logs": LogSettings,
}
BEGIN, END = "<!-- settings -->", "<!-- end of settings -->"


def settings_table() -> str:
    """A section and a table for each part."""
    return "\n".join(lines())


def lines() -> Iterator[str]:
    """The lines of all tables."""
    for title, part in SECTIONS.items():
        yield f"### {title}\n\n| variable | default | meaning |\n|---|---|---|"
        prefix = part.model_config.get("env_prefix", "")
        for name, field in part.model_fields.items():
            yield f"| `{prefix.upper()}{name.upper()}` | {default_of(field)} | {meaning_of(field)} |"
        yield ""


def default_of(field: FieldInfo) -> str:
    """The default as it would be written in an environment."""
    value: Any = field.default
    if value is PydanticUndefined:
        return "required"
    return "" if value in (None, "") else f"`{value}`"


def meaning_of(field: FieldInfo) -> str:
    """The setting's docstring on one line."""
    return " ".join((field.description or "").split())


def with_table(page: str) -> str:
    """The page with the table between its two marks."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{settings_table()}\n{END}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_table(file.read_text()))
