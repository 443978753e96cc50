"""Files as editors, phones and disks write them are read correctly, or refused with one line that helps.

The files in `tests/cases` are small examples that were once read wrongly.
"""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from shared.tasks import MapKind, Task
from tests.support.training.user_data import DEPTH_PAIR, IMAGE, conversation, picture, run
from training.data.prompt_reading import AskedTask, read_prompt
from training.data.records import Record
from training.data.sequences import SequenceStore
from training.data.user_data import read_records
from training.errors import BadDataError, BadRecordError, TrainingError
from training.tokenize_data import main

CASES = Path(__file__).parents[2] / "cases"
RED_BALL = AskedTask(Task.TEXT_TO_IMAGE, "a red ball")


def asked(records: list[Record]) -> list[AskedTask]:
    return [example.asked for record in records for example in record.examples()]


def faults(records: list[Record]) -> list[str]:
    """The error message of each bad record."""
    found: list[str] = []
    for record in records:
        try:
            record.examples()
        except BadRecordError as error:
            found.append(f"{record.name}: {error}")
    return found


def test_a_byte_order_mark_is_not_part_of_a_caption() -> None:
    """Fixed bug: the prompt was '\\ufeffa red ball', which has three more tokens."""
    assert asked(read_records(CASES / "caption_bom/pictures")) == [RED_BALL] * 2


def test_a_byte_order_mark_before_json_is_ignored() -> None:
    """Fixed bug: the message was "Unexpected UTF-8 BOM (decode using utf-8-sig)"."""
    assert len(asked(read_records(CASES / "json_bom/data.json"))) == 1


def test_a_template_with_a_windows_line_end_is_recognised() -> None:
    """Fixed bug: the second record had the template twice, with 117 tokens instead of 97."""
    assert asked(read_records(CASES / "json_crlf_prompt/data.json")) == [RED_BALL] * 2


def test_json_lines_are_read() -> None:
    """Fixed bug: the message was "is not JSON: Extra data: line 2"."""
    assert asked(read_records(CASES / "jsonl_records/data.jsonl")) == [RED_BALL] * 2


def test_json_lines_with_another_suffix_are_read_and_a_bad_line_is_named(tmp_path: Path) -> None:
    lines = (CASES / "jsonl_records/data.jsonl").read_text().splitlines()
    data = tmp_path / "data.json"
    data.write_text(f"{lines[0]}\n\n{lines[1][:-4]}\n{lines[1]}\n")
    records = read_records(data)
    assert len(records) == 3
    (fault,) = faults(records)
    assert fault.startswith("record 1 (line 3): the line is not JSON")


def test_a_single_record_needs_no_list(tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    data.write_text(json.dumps(conversation("a red ball", pictures=["a.png"]), indent=1))
    assert asked(read_records(data)) == [RED_BALL]


def test_suffixes_may_be_upper_or_lower_case() -> None:
    """Fixed bug: IMG.PNG beside IMG.TXT gave "there is no caption IMG.txt"."""
    assert len(asked(read_records(CASES / "upper_txt/pictures"))) == 1


def test_files_with_unsupported_formats_are_named_and_a_jfif_is_read() -> None:
    """Fixed bug: .bmp, .tif and .jfif gave "the caption has no picture beside it"."""
    records = read_records(CASES / "other_suffixes")
    assert len(records) == 3
    bmp, tif = faults(records)
    assert "a_bmp.bmp has an unsupported format: save it as PNG or JPEG" in bmp
    assert "a_tif.tif has an unsupported format" in tif
    assert ".jfif" in tif


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    shutil.copytree(CASES / "symlinked_subfolder", tmp_path, dirs_exist_ok=True)
    (tmp_path / "set/part1").symlink_to("../real")
    return tmp_path / "set"


def test_a_linked_subfolder_is_read(linked: Path) -> None:
    """Fixed bug: one of two examples was read, and a folder of links gave "0 of 0 records are bad"."""
    assert len(asked(read_records(linked))) == 2
    (linked / "b.png").unlink()
    (linked / "b.txt").unlink()
    assert len(asked(read_records(linked))) == 1


def test_circular_links_do_not_loop_and_each_folder_is_read_once(linked: Path) -> None:
    (linked / "again").symlink_to(".")
    (linked / "part1" / "up").symlink_to("../set")
    (linked / "same").symlink_to("../real")
    assert len(asked(read_records(linked))) == 2


def test_a_broken_link_is_named(linked: Path) -> None:
    (linked / "gone").symlink_to("nowhere")
    assert "gone is a broken link" in faults(read_records(linked))[0]


def test_hidden_files_are_ignored(tmp_path: Path) -> None:
    """Fixed bug: macOS' `._a.png` was reported as a picture without a caption."""
    shutil.copytree(CASES / "upper_txt/pictures", tmp_path, dirs_exist_ok=True)
    for name in ("._IMG.PNG", "._IMG.TXT", ".DS_Store", ".thumbs/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    assert len(read_records(tmp_path)) == 1


def test_a_caption_in_utf_16_is_read_and_one_in_latin_1_is_named(tmp_path: Path) -> None:
    for name, caption in (("a", "a red ball\r\n".encode("utf-16")), ("b", b"ein K\xe4fer")):
        picture(tmp_path, f"{name}.png")
        (tmp_path / f"{name}.txt").write_bytes(caption)
    good, bad = read_records(tmp_path)
    assert asked([good]) == [RED_BALL]
    assert faults([bad]) == ["record 1 (b.png): b.txt is not UTF-8 text; save it as UTF-8"]


def test_two_captions_of_one_picture_are_named(tmp_path: Path) -> None:
    picture(tmp_path, "a.png")
    for name in ("a.txt", "a.TXT"):
        (tmp_path / name).write_text("a ball")
    assert faults(read_records(tmp_path)) == [
        "record 0 (a.png): there are two captions, a.TXT and a.txt; keep one"
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "contains no picture with a caption in a .txt file of the same name; supported pictures are"),
        (["data.jsonl"], "to read data.jsonl, pass that file"),
        (["tokens.npy"], "contains sequences already; pass it to training.finetune"),
    ],
)
def test_a_folder_without_data_says_what_to_do(tmp_path: Path, files: list[str], message: str) -> None:
    """Fixed bug: the message was "nothing was written: 0 of 0 records are bad"."""
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(BadDataError, match=message):
        read_records(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("boat.png", b"", "is a picture; pass its folder"),
        ("data.json", b"[]", "contains no records"),
        ("data.jsonl", b"\n", "contains no records"),
        ("data.json", b"\x89\xff", "is not UTF-8 text"),
        ("data.json", b"[" * 100_000, "is not JSON"),
    ],
)
def test_a_file_without_records_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadDataError, match=message):
        read_records(tmp_path / name)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"conversation": []}, "the field `conversation` is unknown, did you mean `conversations`?"),
        ({"conversations": [{"form": "human", "value": IMAGE}]}, "did you mean `from`?"),
        ({"conversations": [{"from": "human", "vaule": IMAGE}]}, "did you mean `value`?"),
        ({"conversations": [{"from": "user", "value": IMAGE}]}, "is from 'user', but must be from 'human'"),
        (
            {"conversations": conversation("a", pictures=[])["conversations"], "images": ["a.png"]},
            "the field `images` is unknown, did you mean `image`?",
        ),
    ],
)
def test_a_misspelt_field_is_named_with_the_correct_spelling(
    tmp_path: Path, record: dict[str, object], message: str
) -> None:
    data = tmp_path / "data.json"
    data.write_text(json.dumps([record]))
    (fault,) = faults(read_records(data))
    assert message in fault


@pytest.mark.parametrize(
    "text",
    [
        "Generate an image of 768x768 according to the following prompt: a red ball",
        "Generate an image of 768x768  according to the following prompt:\n\n a red ball\n",
        "\ufeffGenerate an image according to the following prompt:\ra red ball",
    ],
)
def test_a_template_with_other_white_space_is_recognised(tmp_path: Path, text: str) -> None:
    data = tmp_path / "data.json"
    data.write_text(json.dumps([conversation(text, pictures=["a.png"])]))
    assert asked(read_records(data)) == [RED_BALL]


def test_the_template_of_a_map_needs_no_prompt(tmp_path: Path) -> None:
    """Fixed bug: the template without a prompt became an edit instruction inside a second template."""
    data = tmp_path / "data.json"
    text = IMAGE + DEPTH_PAIR.removesuffix("a ball")
    data.write_text(json.dumps([conversation(text, pictures=["a.png", "b.png"])]))
    assert asked(read_records(data)) == [AskedTask(Task.DENSE, "", MapKind.DEPTH)]


def test_a_text_that_is_almost_the_template_is_refused() -> None:
    with pytest.raises(TrainingError, match="differs from the model's template"):
        read_prompt("Generate an image of 768x768 according to this prompt:\na red ball", has_image=False)


def test_an_impossible_path_is_a_bad_record(smoke_run: Path, tmp_path: Path) -> None:
    """Fixed bug: this printed a traceback, "embedded null byte"."""
    data = tmp_path / "data.json"
    data.write_text(json.dumps([conversation("a ball", pictures=["a\0.png"])]))
    result = run(smoke_run, data)
    assert result.exit_code == 1
    assert "record 0: a\0.png cannot be read" in result.stderr


def test_sequences_are_overwritten_only_on_request(smoke_run: Path, tmp_path: Path) -> None:
    """Fixed bug: the data of a running training were replaced."""
    shutil.copytree(CASES / "upper_txt/pictures", tmp_path / "pictures")
    call = [
        "--model",
        str(smoke_run / "start"),
        "--data",
        str(tmp_path / "pictures"),
        "--allow-unknown-pictures",
    ]
    out = tmp_path / "out"
    assert CliRunner().invoke(main, [*call, "--out", str(out)]).exit_code == 0
    before = (out / "index.npy").stat().st_mtime_ns
    again = CliRunner().invoke(main, [*call, "--out", str(out)])
    assert again.exit_code == 1
    assert "is not empty; use --overwrite" in again.stderr
    assert (out / "index.npy").stat().st_mtime_ns == before
    assert CliRunner().invoke(main, [*call, "--out", str(out), "--overwrite"]).exit_code == 0
    assert len(SequenceStore.read(out)) == 1
