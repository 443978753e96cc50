"""Response bodies of /sdapi/v1, with the fields that clients of A1111 read."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SAMPLER = "Luminary"
"""The name of the one sampler: codes are drawn one after the other, so there are no others to choose from."""


class Drawn(BaseModel):
    """The pictures of a request."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "images": ["iVBORw0KGgo..."],
                    "parameters": {"prompt": "a quiet harbour", "seed": 7, "width": 768, "height": 768},
                    "info": '{"seed": 7, "all_seeds": [7], "width": 768, "height": 768}',
                }
            ]
        },
    )

    images: list[str]
    """PNG files in base64."""
    parameters: dict[str, Any]
    """The fields that had an effect, with the values that were used."""
    info: str
    """An `Info` as JSON."""


class Info(BaseModel):
    """Facts about the pictures of a request."""

    prompt: str
    all_prompts: list[str]
    negative_prompt: str
    all_negative_prompts: list[str]
    seed: int
    all_seeds: list[int]
    subseed: int = -1
    subseed_strength: float = 0.0
    width: int
    height: int
    sampler_name: str = SAMPLER
    cfg_scale: float | None
    batch_size: int
    sd_model_name: str
    sd_model_hash: str = ""
    index_of_first_image: int = 0
    infotexts: list[str]
    job_timestamp: str


class SdModel(BaseModel):
    """A model that running workers have."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={
            "examples": [
                {
                    "title": "tiny",
                    "model_name": "tiny",
                    "hash": None,
                    "sha256": None,
                    "filename": "tiny",
                    "config": None,
                }
            ]
        },
    )

    title: str
    model_name: str
    hash: None = None
    sha256: None = None
    filename: str
    config: None = None


class Sampler(BaseModel):
    """The sampler."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": SAMPLER, "aliases": [], "options": {}}]}
    )

    name: str = SAMPLER
    aliases: list[str] = Field(default_factory=list[str])
    options: dict[str, str] = Field(default_factory=dict[str, str])


class Scheduler(BaseModel):
    """The scheduler, which has no effect: clients want one to choose."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "automatic", "label": "Automatic", "aliases": []}]}
    )

    name: Literal["automatic"] = "automatic"
    label: Literal["Automatic"] = "Automatic"
    aliases: list[str] = Field(default_factory=list[str])


class Named(BaseModel):
    """An entry of a list from which clients let users choose."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "None"}]})

    name: str = "None"


class OptionsInUse(BaseModel):
    """The settings of the web UI that clients read."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sd_model_checkpoint": "tiny",
                    "sd_checkpoint_hash": "",
                    "sd_vae": "Automatic",
                    "samples_format": "png",
                    "CLIP_stop_at_last_layers": 1,
                }
            ]
        }
    )

    sd_model_checkpoint: str
    sd_checkpoint_hash: Literal[""] = ""
    sd_vae: Literal["Automatic"] = "Automatic"
    samples_format: Literal["png"] = "png"
    CLIP_stop_at_last_layers: Literal[1] = 1


class ProgressState(BaseModel):
    """Where the job is."""

    skipped: bool = False
    interrupted: bool = False
    job: str = ""
    job_count: int = 0
    job_timestamp: str = "0"
    job_no: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0


class Progress(BaseModel):
    """The progress of the newest job that the caller has begun here and that has not ended."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "progress": 0.25,
                    "eta_relative": 12.0,
                    "state": {
                        "skipped": False,
                        "interrupted": False,
                        "job": "job_01m8a4vqzhe2fbpdaz3zp1kwsh",
                        "job_count": 1,
                        "job_timestamp": "20260301120000",
                        "job_no": 0,
                        "sampling_step": 576,
                        "sampling_steps": 2304,
                    },
                    "current_image": None,
                    "textinfo": "generating",
                }
            ]
        },
    )

    progress: float = 0.0
    """Share of the codes that are drawn, from 0 to 1."""
    eta_relative: float = 0.0
    """Estimated seconds until the job is done; 0 while that is unknown."""
    state: ProgressState = Field(default_factory=ProgressState)
    current_image: str | None = None
    """The rows that are drawn so far, as a small picture in base64; the first call has none."""
    textinfo: str | None = None


class Nothing(BaseModel):
    """An empty object."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})
