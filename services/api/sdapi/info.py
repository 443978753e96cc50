"""What A1111 says about drawn pictures: the `info` of an answer. Pure functions."""

from typing import Any

from services.api.sdapi.requests import TextToImage
from services.api.sdapi.responses import SAMPLER, Info
from shared.job_view.view import JobRows, OutputRows

TIMESTAMP = "%Y%m%d%H%M%S"


def describe(rows: JobRows, model: str) -> Info:
    """The facts of a drawn job. All pictures have one seed; they differ by their number.

    model: name of the model, empty if several models might have drawn it.
    """
    request, outputs = rows.request, rows.outputs
    prompt, negative = str(request.get("prompt") or ""), str(request.get("negative_prompt") or "")
    first = outputs[0].image if outputs else None
    return Info(
        prompt=prompt,
        all_prompts=[prompt] * len(outputs),
        negative_prompt=negative,
        all_negative_prompts=[negative] * len(outputs),
        seed=request["seed"],
        all_seeds=[request["seed"]] * len(outputs),
        width=0 if first is None else first.width,
        height=0 if first is None else first.height,
        cfg_scale=request.get("guidance_scale"),
        batch_size=len(outputs),
        sd_model_name=model,
        infotexts=[info_text(rows, output, model) for output in outputs],
        job_timestamp=rows.job.created_at.strftime(TIMESTAMP),
    )


def info_text(rows: JobRows, output: OutputRows, model: str) -> str:
    """The description of one picture in A1111's format: the prompts, then a line of `name: value`."""
    request, image = rows.request, output.image
    facts = {
        "Sampler": SAMPLER,
        "CFG scale": request.get("guidance_scale"),
        "Seed": request["seed"],
        "Candidate": output.candidate.position,
        "Size": f"{image.width}x{image.height}",
        "Model": model or None,
    }
    lines = [str(request.get("prompt") or "")]
    if request.get("negative_prompt"):
        lines.append(f"Negative prompt: {request['negative_prompt']}")
    lines.append(", ".join(f"{name}: {value}" for name, value in facts.items() if value is not None))
    return "\n".join(lines)


def used_parameters(rows: JobRows) -> dict[str, Any]:
    """The request in A1111's fields, with the values that were used; fields without effect are missing."""
    request = rows.request
    first = rows.outputs[0].image if rows.outputs else None
    used = {
        "prompt": request.get("prompt"),
        "negative_prompt": request.get("negative_prompt"),
        "seed": request["seed"],
        "width": first and first.width,
        "height": first and first.height,
        "batch_size": request["n"],
        "n_iter": 1,
        "cfg_scale": request.get("guidance_scale"),
        "top_k": request.get("top_k"),
        "temperature": request.get("temperature"),
        "override_settings": {"sd_model_checkpoint": request["model"]} if request.get("model") else {},
    }
    return {
        name: value for name, value in used.items() if name in TextToImage.model_fields and value is not None
    }
