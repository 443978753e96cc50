"""Every tool of the Model Context Protocol on a platform with the bundled model, over HTTP and stdio."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from PIL import Image, ImageDraw

from tests.support.gateway import agents
from tests.support.gateway.agents import LEGACY, MODERN, facts, over_http, over_stdio, pictures, run
from tests.support.platforms.luminary_up import found, up
from tests.support.source_tree import ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
SIZE = "64x64"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """URL and key of a running platform."""
    with up(tmp_path_factory.mktemp("agents") / "data", ROOT / "models/tiny") as process:
        url = found(r"is ready after \d+ s: (http://\S+)", process)
        yield url, found(r"API key.*: (lum_\S+)", process)


async def use_every_tool(client: Client, photo: str) -> None:
    """Draw, edit, vary, extend, map, read and cancel; every picture is a picture."""

    async def drawn(tool: str, **arguments: Any) -> dict[str, Any]:
        result = await client.call_tool(tool, {"wait_seconds": 60, **arguments})
        told = facts(result)
        assert told["status"] == "succeeded", told
        assert len(pictures(result)) == len(told["pictures"])
        for part in pictures(result):
            assert part.mime_type == "image/png"
            assert base64.b64decode(part.data).startswith(b"\x89PNG")
        return told

    first = await drawn("create", prompt="a red circle and a blue square", size=SIZE, seed=7)
    again = await drawn("create", prompt="a red circle and a blue square", size=SIZE, seed=7)
    assert again["session_id"] != first["session_id"]
    place = {"session_id": first["session_id"]}
    edited = await drawn("edit", prompt="make the circle green", **place)
    await drawn("edit", prompt="make the square red", **place, **{"from": first["turn_id"]})
    image = first["pictures"][0]["image_id"]
    await drawn("vary", image=image, strength=0.5, seed=8, **place)
    larger = await drawn("extend", image=image, right=4, seed=8, allow_untrained_size=True)
    assert (larger["pictures"][0]["width"], larger["pictures"][0]["height"]) == (96, 64)
    await drawn("dense", image=edited["pictures"][0]["candidate_id"], target="depth")
    await drawn("edit", prompt="make it blue", image=photo)
    tree = facts(await client.call_tool("session_tree", place))
    assert [turn["task"] for turn in tree["turns"]] == ["text_to_image", "edit", "edit", "text_to_image"]

    late = facts(await client.call_tool("create", {"prompt": "a star", "size": SIZE, "wait_seconds": 0}))
    assert facts(await client.call_tool("job", {"job_id": late["job_id"], "wait_seconds": 60}))["pictures"]
    ended = await client.call_tool("cancel", {"job_id": late["job_id"]})
    assert facts(ended)["status"] == "succeeded"


def photo_at(folder: Path) -> Path:
    """A picture that the platform has not drawn."""
    boat = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(boat).ellipse((16, 16, 48, 48), "red")
    boat.save(folder / "boat.png")
    return folder / "boat.png"


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
def test_every_tool_works_over_http(platform: tuple[str, str], tmp_path: Path, mode: str) -> None:
    photo = base64.b64encode(photo_at(tmp_path).read_bytes()).decode()

    async def story() -> None:
        async with over_http(*platform, mode) as client:
            await use_every_tool(client, f"data:image/png;base64,{photo}")

    run(story, seconds=400)


@pytest.mark.parametrize("mode", [LEGACY, "auto"])
def test_every_tool_works_over_stdio(platform: tuple[str, str], tmp_path: Path, mode: str) -> None:
    photo = photo_at(tmp_path)

    async def story() -> None:
        async with over_stdio(*platform, tmp_path, mode) as client:
            await use_every_tool(client, str(photo))

    run(story, seconds=400)


def test_tasks_and_progress_come_from_a_real_worker(platform: tuple[str, str]) -> None:
    extension = agents.Tasks()
    told: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    async def story() -> None:
        async with over_http(*platform, MODERN, [extension]) as client:
            result = await client.call_tool("create", {"prompt": "a red star", "size": SIZE, "n": 4})
            assert len(pictures(result)) == 4
            assert extension.seen[-1]["status"] == "completed"
        async with over_http(*platform) as client:
            wanted = {"prompt": "a blue star", "size": SIZE, "n": 8, "wait_seconds": 60}
            result = await client.call_tool("create", wanted, progress_callback=hear)
            assert len(pictures(result)) == 8

    run(story, seconds=200)
    assert told == sorted(set(told))
