"""Response body of /health."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Health(BaseModel):
    """The response of /health."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok"] = "ok"
