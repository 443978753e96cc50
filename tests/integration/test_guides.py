"""Every request of the guides works as they say, on a platform with the bundled model."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from infra.local.ports import free_ports
from tests.support.guides import send_all, shell_blocks, unexpected
from tests.support.platforms.luminary_up import found, up
from tests.support.source_tree import ROOT

GUIDES = sorted((ROOT / "docs/guides").glob("*.md"))


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """URL and key of a running platform, and the search path of the shell."""
    missing = [name for name in ("curl", "jq", "bash") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"the guides need {', '.join(missing)}")
    allowed = {"WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
    data = tmp_path_factory.mktemp("guides") / "data"
    with up(data, ROOT / "models/tiny", variables=allowed) as process:
        url = found(r"is ready after \d+ s: (http://\S+)", process)
        key = found(r"API key.*: (lum_\S+)", process)
        admin = (data / "admin_key").read_text().strip()
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        receiver = f"http://127.0.0.1:{free_ports(1)[0]}/hook"
        yield {"PATH": path, "URL": url, "KEY": key, "ADMIN": admin, "RECEIVER": receiver}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the guides send."""
    boat = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(boat).ellipse((16, 16, 48, 48), "red")
    boat.save(tmp_path / "boat.png")
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    mask.save(tmp_path / "mask.png")
    return tmp_path


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_every_request_of_a_guide_is_answered_as_it_says(
    page: Path, folder: Path, variables: dict[str, str]
) -> None:
    sent = send_all(page, folder, variables)
    asked = sum(text.count("curl ") for text, _ in shell_blocks(page))
    assert len(sent) >= asked > 0
    assert unexpected(page, sent) == []
