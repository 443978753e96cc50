"""`luminary up` as a user runs it: start, draw, Ctrl-C, start again, read the picture."""

import os
import re
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.models.random_models import write_decoder, write_movqgan
from tests.support.platforms.luminary_up import ask, found, up
from tests.support.servers.supervised import ROOT, children, wait_for_line, wait_until_gone


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_decoder(tmp_path_factory.mktemp("models") / "random")
    write_movqgan(folder / "movqgan")
    return folder


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a shell in the folder, as a user without a display does."""
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "LUMINARY_DATA", "DATABASE_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={**environment, "XDG_STATE_HOME": str(folder.parent / "state")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def program_of(pasted: str) -> str:
    """The program of the printed command, by its whole path."""
    program = pasted.split(maxsplit=1)[0]
    return program if program.startswith("/") else str(ROOT / program)


def test_the_printed_command_saves_a_picture_that_outlives_ctrl_c_and_no_process_does(
    tmp_path: Path, model: Path
) -> None:
    """Fixed bug: `luminary up` printed a curl command with an unset variable, which saved no picture."""
    data, home = tmp_path / "data", tmp_path / "home"
    home.mkdir()
    with up(data, model) as process:
        url = found(r"is ready after \d+ s: (http://\S+)", process)
        key = found(r"API key, stored in \S+: (lum_\S+)", process)
        pasted = found(r"paste into another terminal: (.*)", process)
        assert stat.S_IMODE((data / "api_key").stat().st_mode) == 0o600
        drawn = shell(f"{program_of(pasted)}{pasted.removeprefix(pasted.split()[0])}", home)
        assert drawn.returncode == 0, drawn.stderr
        (picture,) = home.glob("*.png")
        assert drawn.stdout == f"{picture.name}\n"
        assert re.fullmatch(r"a-red-star-and-a-blue-ball-\d+-0\.png", picture.name)
        (job,) = ask(f"{url}/v1/jobs", key).json()["data"]
        pids = children(data)
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "stopped")
        assert process.wait() == 0
        wait_until_gone(pids)

    with up(data, model) as second:
        again = found(r"is ready after \d+ s: (http://\S+)", second)
        assert str(data) in found(r"paste into another terminal: (.*)", second)
        content = ask(again + job["outputs"][0]["url"].removeprefix(url), key).content
        assert content == picture.read_bytes()
        pids = children(data)
        second.send_signal(signal.SIGTERM)
        assert second.wait() == 0
        wait_until_gone(pids)


@pytest.mark.long
def test_the_commands_of_a_platform_find_it_and_do_what_they_say(tmp_path: Path, model: Path) -> None:
    data, home = tmp_path / "data", tmp_path / "home"
    home.mkdir()
    with up(data, model) as process:
        url = found(r"is ready after \d+ s: (http://\S+)", process)
        key = found(r"API key, stored in \S+: (lum_\S+)", process)
        program = program_of(found(r"paste into another terminal: (.*)", process))
        option = f"--data {data} --size 64x64 --seed 7"
        names = [shell(f"{program} draw 'a ball' {option}", home).stdout.strip() for _ in range(2)]
        assert names == ["a-ball-7-0.png", "a-ball-7-0_2.png"]
        assert (home / names[0]).read_bytes() == (home / names[1]).read_bytes()
        edited = shell(f"{program} draw --edit a-ball-7-0.png 'make it blue' {option} --out edits", home)
        assert edited.stdout == "edits/make-it-blue-7-0.png\n", edited.stderr
        several = shell(f"{program} draw 'two' -n 2 {option}", home)
        assert several.stdout == "two-7-0.png\ntwo-7-1.png\n", several.stderr
        refused = shell(f"{program} draw 'a ball' --data {data} --size 63x64", home)
        assert refused.returncode == 1
        assert "size" in refused.stderr
        assert refused.stderr.strip().count("\n") == 0

        listed = shell(f"{program} keys list --data {data}", home).stdout
        assert f"{key[:8]}  default" in listed
        made = shell(f"{program} keys create --name spare --data {data}", home).stdout.strip()
        assert ask(f"{url}/v1/models", made).status_code == 200
        assert shell(f"{program} keys revoke {made} --data {data}", home).stdout == f"revoked {made[:8]}\n"
        assert ask(f"{url}/v1/models", made).status_code == 401
        assert shell(f"{program} keys revoke nonsense --data {data}", home).returncode == 2
        usage = shell(f"{program} usage --by task --csv --data {data}", home).stdout.splitlines()
        assert [line.split(",")[:3] for line in usage[1:]] == [
            ["edit", "1", "1"],
            ["text_to_image", "3", "4"],
        ]
        by_key = shell(f"{program} usage --project default --by api_key,day --data {data}", home).stdout
        assert by_key.count(f"  {key[:8]} ") == 1
        assert by_key.splitlines()[-1].split()[:3] == ["total", "4", "5"]
        kept = f"{program} projects retention --data {data}"
        table = shell(f"{kept} default --results 30d --uploads never", home).stdout.splitlines()
        assert table[1].split() == ["default", "never", "30d", *["default"] * 3]
        assert shell(f"{kept} nobody --results 30d", home).returncode == 2
        asked = shell(f"{program} psql --data {data} -Atc 'TABLE alembic_version'", home)
        assert re.fullmatch(r"\w+\n", asked.stdout), asked.stderr
        assert shell(f"{program} status --data {data}", home).returncode == 0
        elsewhere = shell(f"{program} status", home)
        assert elsewhere.returncode == 0, elsewhere.stderr
        assert str(data) in elsewhere.stdout


def test_a_missing_model_is_reported_in_one_line(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    with up(tmp_path, nothing) as command:
        assert command.stdout is not None
        output = command.stdout.read()
        assert command.wait() == 1
    (line,) = output.splitlines()
    assert line.startswith(f"luminary: There is no model in {nothing} (no config.json): name one with")


@pytest.mark.parametrize("file", ["model.safetensors", "movqgan/model.safetensors"])
def test_damaged_weights_are_reported_without_a_traceback(file: str, model: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(model, tmp_path / "damaged")
    os.truncate(damaged / file, 4096)

    with up(tmp_path / "data", damaged) as process:
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert re.search(r"[Tt]he model in \S+/damaged cannot be used: ", output)
    assert not re.search('Traceback|File "', output)
