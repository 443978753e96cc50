"""Guidance and top-k change logits as the reference's processors do."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from services.worker.engine.layout.image_grammar import HEADER_LENGTH, ImageShape
from services.worker.engine.sampling.filters import keep_top_k
from services.worker.engine.sampling.guidance import GuidanceSchedule, apply_guidance

LOGITS = Path(__file__).parent / "public/logits"


def facts(name: str) -> dict[str, Any]:
    return json.loads((LOGITS / f"{name}.json").read_text())


def arrays(name: str) -> dict[str, Tensor]:
    with np.load(LOGITS / f"{name}.npz") as stored:
        return {key: torch.from_numpy(stored[key]) for key in stored.files}


CFG = facts("cfg")
CHAIN = facts("constraint_topk")
REAL = facts("real_vocab")
SHAPE = ImageShape(CFG["h_grids"], CFG["w_grids"])


def top_k_of(row: str, of: dict[str, Any]) -> int:
    return of["text_top_k" if row in {"text", "after_end"} else "image_top_k"]


@pytest.mark.parametrize("initial", CFG["cases"])
def test_the_scale_shrinks_as_in_the_reference(initial: str):
    expected = CFG["cases"][initial]["guidance_after_step"][HEADER_LENGTH - 1 :]
    # step k of the reference samples the token at offset k + 1
    offsets = range(HEADER_LENGTH, HEADER_LENGTH + len(expected))
    scales = GuidanceSchedule.REFERENCE.scales(float(initial), SHAPE, offsets)
    torch.testing.assert_close(scales, torch.tensor(expected))


def test_guided_logits_are_the_references():
    stored = arrays("cfg")
    steps = range(HEADER_LENGTH - 1, CFG["steps"])
    scales = GuidanceSchedule.REFERENCE.scales(7.5, SHAPE, [step + 1 for step in steps])
    guided = apply_guidance(stored["cond"][steps.start :], stored["uncond"][: len(steps)], scales[:, None])
    torch.testing.assert_close(guided, stored["out_7.5"][steps.start :], rtol=1e-5, atol=0)


def test_height_and_width_are_not_guided():
    stored = arrays("cfg")
    assert torch.equal(stored["out_7.5"][: HEADER_LENGTH - 1], stored["cond"][: HEADER_LENGTH - 1])


@pytest.mark.parametrize("row", CHAIN["rows"])
@pytest.mark.parametrize(("before", "after"), [("scores", "topk"), ("constraint", "chain_constraint_topk")])
def test_top_k_keeps_what_the_reference_keeps(row: str, before: str, after: str):
    stored = arrays("constraint_topk")
    index = CHAIN["rows"].index(row)
    kept = keep_top_k(stored[before][[index]], top_k_of(row, CHAIN))
    assert torch.equal(kept, stored[after][[index]])
    assert int(kept.isfinite().sum()) == CHAIN["finite_counts"][after][index]


@pytest.mark.parametrize("row", [row for row, fact in REAL["rows"].items() if fact["forced_value"] is None])
def test_top_k_keeps_the_same_public_ids(row: str):
    stored = arrays("real_vocab")
    logits = torch.zeros(1, REAL["vocab_size"])
    logits[0, stored["input_index"].long()] = stored["input_value"]
    if row == "first_image_token":
        logits[:, : REAL["ids"]["IMG_FIRST"]] = -torch.inf
        logits[:, REAL["image_last"] + 1 :] = -torch.inf
    kept = keep_top_k(logits, top_k_of(row, REAL))
    assert torch.equal(kept.isfinite().nonzero()[:, 1].int(), stored[f"keep_{row}"])
