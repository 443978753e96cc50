"""A user's own data are turned into sequences; errors in them are reported before anything is encoded."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from services.tokenizer.image_codec import encode_pixels, read_pixels
from services.tokenizer.movqgan import load_movqgan
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import plan_sequence
from shared.tasks import MapKind, Task
from tests.support.models.checkpoint_files import write_checkpoint
from tests.support.training.user_data import DEPTH_PAIR, IMAGE, conversation, picture, run
from training.data.requests import read_vocabulary
from training.data.sequences import SequenceStore, TrainingSequence
from training.data.user_data import read_records
from training.data.user_pictures import SequenceLimits
from training.errors import BadRecordError
from training.finetune import open_batches
from training.tokenize_data import check_records, encode_records, main

BUNDLED = Path(__file__).parents[3] / "models/tiny"
DEPTH_CONTROL = DEPTH_PAIR.replace("lower", "?").replace("upper", "lower").replace("?", "upper")


def tokenize(world: Path, folder: Path, records: object, *options: str) -> list[TrainingSequence]:
    """The sequences of a JSON file with these records, all of which must be good."""
    data = folder / "data.json"
    data.write_text(json.dumps(records))
    result = run(world, data, *options)
    assert result.exit_code == 0, result.output
    store = SequenceStore.read(folder / "out")
    return [store.sequence(number) for number in range(len(store))]


def expected(world: Path, request: PictureRequest) -> tuple[int | None, ...]:
    return plan_sequence(*read_vocabulary(world / "start"), request).tokens


def codes(world: Path, file: Path, size: tuple[int, int] = (64, 64)) -> tuple[int, ...]:
    pixels = read_pixels(file.read_bytes(), max_pixels=1 << 20, fit=size)
    return encode_pixels(load_movqgan(world / "start/movqgan"), pixels)[0].tokens


def assert_sequence(
    world: Path, sequence: TrainingSequence, request: PictureRequest, drawn: Sequence[int]
) -> None:
    """Check that the sequence is the request's plan with the drawn codes in its free places."""
    vocabulary, _ = read_vocabulary(world / "start")
    plan = expected(world, request)
    free = [place for place, token in enumerate(plan) if token is None]
    assert [sequence.tokens[place] for place in free] == [vocabulary.token_of_code(code) for code in drawn]
    assert [token for token in plan if token is not None] == [
        token for place, token in enumerate(sequence.tokens) if place not in set(free)
    ]
    assert sequence.result_start == free[0]


def test_a_prompt_and_its_picture(smoke_run: Path, tmp_path: Path) -> None:
    name = picture(tmp_path, "a.png")
    text = "Generate an image of 768x768 according to the following prompt:\na ball"
    (sequence,) = tokenize(smoke_run, tmp_path, [conversation(text, pictures=[name])])
    request = PictureRequest(Task.TEXT_TO_IMAGE, "a ball", PictureSize(64, 64))
    assert_sequence(smoke_run, sequence, request, codes(smoke_run, tmp_path / name))


def test_an_edit_is_given_its_first_picture_and_draws_the_second(smoke_run: Path, tmp_path: Path) -> None:
    names = [picture(tmp_path, f"{shade}.png", shade=shade) for shade in (20, 220)]
    (sequence,) = tokenize(smoke_run, tmp_path, [conversation(f"{IMAGE}make it red", pictures=names)])
    given, drawn = (codes(smoke_run, tmp_path / name) for name in names)
    request = PictureRequest(Task.EDIT, "make it red", PictureSize(64, 64), given_codes=given)
    assert given != drawn
    assert_sequence(smoke_run, sequence, request, drawn)


def test_a_later_turn_edits_the_answer_before_it(smoke_run: Path, tmp_path: Path) -> None:
    names = [picture(tmp_path, f"{shade}.png", shade=shade) for shade in (20, 120, 220)]
    record = conversation("a ball", "make it red", "make it blue", pictures=names)
    first, second, third = tokenize(smoke_run, tmp_path, [record])
    drawn = [codes(smoke_run, tmp_path / name) for name in names]
    size = PictureSize(64, 64)
    assert_sequence(smoke_run, first, PictureRequest(Task.TEXT_TO_IMAGE, "a ball", size), drawn[0])
    for sequence, words, given, result in ((second, "make it red", 0, 1), (third, "make it blue", 1, 2)):
        request = PictureRequest(Task.EDIT, words, size, given_codes=drawn[given])
        assert_sequence(smoke_run, sequence, request, drawn[result])


def test_a_map_in_one_tall_picture_with_its_photograph(smoke_run: Path, tmp_path: Path) -> None:
    name = picture(tmp_path, "tall.png", (64, 128))
    records = [conversation(text, pictures=[name]) for text in (DEPTH_CONTROL, DEPTH_PAIR)]
    control, pair = tokenize(smoke_run, tmp_path, records)
    whole = Image.open(tmp_path / name)
    for half, top in (("upper", 0), ("lower", 64)):
        whole.crop((0, top, 64, top + 64)).save(tmp_path / f"{half}.png")
    upper, lower = (codes(smoke_run, tmp_path / f"{half}.png") for half in ("upper", "lower"))
    request = PictureRequest(
        Task.CONTROL, "a ball", PictureSize(64, 64), map=MapKind.DEPTH, given_codes=upper
    )
    assert_sequence(smoke_run, control, request, lower)
    request = PictureRequest(Task.IMAGE_PAIR, "a ball", PictureSize(64, 128), map=MapKind.DEPTH)
    assert_sequence(smoke_run, pair, request, upper + lower)


def test_with_a_single_number_as_size_a_picture_keeps_its_shape(smoke_run: Path, tmp_path: Path) -> None:
    name = picture(tmp_path, "wide.png", (300, 80))
    (sequence,) = tokenize(smoke_run, tmp_path, [conversation("a ball", pictures=[name])], "--size", "64")
    drawn = codes(smoke_run, tmp_path / name, (128, 32))
    request = PictureRequest(Task.TEXT_TO_IMAGE, "a ball", PictureSize(128, 32))
    assert_sequence(smoke_run, sequence, request, drawn)


def test_a_folder_of_pictures_with_captions(smoke_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for name, caption in (("b.jpg", "a cube"), ("more/c.webp", "a cone"), ("a.png", "a ball")):
        picture(folder, name)
        (folder / name).with_suffix(".txt").write_text(f"{caption}\n")
    result = run(smoke_run, folder)
    assert result.exit_code == 0, result.output
    store = SequenceStore.read(tmp_path / "out")
    assert len(store) == 3
    for number, (caption, name) in enumerate(
        [("a ball", "a.png"), ("a cube", "b.jpg"), ("a cone", "more/c.webp")]
    ):
        request = PictureRequest(Task.TEXT_TO_IMAGE, caption, PictureSize(64, 64))
        assert_sequence(smoke_run, store.sequence(number), request, codes(smoke_run, folder / name))


BAD: dict[str, tuple[object, str]] = {
    "no conversation": ({"image": ["good.png"]}, "it has no list `conversations`"),
    "no object": ("good.png", "it has no list `conversations`"),
    "no image": ({"conversations": conversation("a", pictures=[])["conversations"]}, "not a list of paths"),
    "a picture too few": (conversation("a ball", pictures=[]), "1 placeholders <|image|> for 0 pictures"),
    "a picture too many": (
        conversation("a", pictures=["good.png"] * 2),
        "1 placeholders <|image|> for 2 pictures",
    ),
    "two given": (conversation(f"{IMAGE}{IMAGE}mix", pictures=["good.png"] * 3), "at most one is allowed"),
    "an answer in words": (
        {
            "conversations": [{"from": "human", "value": IMAGE}, {"from": "gpt", "value": "a ball"}],
            "image": ["good.png"],
        },
        "an answer is 'a ball'",
    ),
    "no answer": (
        {"conversations": [{"from": "human", "value": IMAGE}], "image": ["good.png"]},
        "the last question has no answer",
    ),
    "wrong speaker": (
        {"conversations": [{"from": "gpt", "value": IMAGE}], "image": ["good.png"]},
        "turn 0 is from 'gpt', but must be from 'human'",
    ),
    "missing file": (conversation("a ball", pictures=["none.png"]), "none.png cannot be read"),
    "cut short": (conversation("a ball", pictures=["cut.png"]), "cut.png cannot be read"),
    "not a picture": (conversation("a ball", pictures=["data.json"]), "not a PNG, JPEG, WebP or GIF"),
    "no words": (conversation(" ", pictures=["good.png"]), "needs a prompt"),
    "long": (conversation("ball " * 3000, pictures=["good.png"]), "the sequence is too long"),
    "unknown map": (
        conversation(DEPTH_PAIR.replace("depth map", "heat map"), pictures=["good.png"]),
        "needs one of the maps",
    ),
    "half a character": (conversation("a \ud800 ball", pictures=["good.png"]), "not valid Unicode"),
    "thin": (conversation("a ball", pictures=["thin.png"]), "would be scaled to"),
}


@pytest.fixture
def bad_folder(tmp_path: Path) -> Path:
    good = tmp_path / picture(tmp_path, "good.png")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:200])
    Image.new("RGB", (400_000, 1)).save(tmp_path / "thin.png")
    return tmp_path


@pytest.mark.parametrize(("record", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_record_is_named_and_refused(
    smoke_run: Path, bad_folder: Path, record: object, message: str
) -> None:
    data = bad_folder / "data.json"
    data.write_text(json.dumps([conversation("a ball", pictures=["good.png"]), record]))
    result = run(smoke_run, data)
    assert result.exit_code == 1
    assert "record 1: " in result.stderr
    assert message in result.stderr
    assert "nothing was written: 1 of 2 records are bad; use --on-bad skip" in result.stderr
    assert not (bad_folder / "out").exists()


def test_all_bad_records_are_named_and_skipped_with_on_bad_skip(smoke_run: Path, bad_folder: Path) -> None:
    data = bad_folder / "data.json"
    good = conversation("a ball", pictures=["good.png"])
    data.write_text(json.dumps([good, *(record for record, _ in BAD.values()), good]))
    result = run(smoke_run, data, "--on-bad", "skip")
    assert result.exit_code == 0
    for index, (_, message) in enumerate(BAD.values(), 1):
        (line,) = [line for line in result.stderr.splitlines() if line.startswith(f"record {index}: ")]
        assert message in line
    assert f"{len(BAD)} of {len(BAD) + 2} records are bad and were left out" in result.stderr
    assert len(SequenceStore.read(bad_folder / "out")) == 2


def test_sequences_are_refused_by_another_model(smoke_run: Path, tmp_path: Path) -> None:
    record = conversation("a ball", pictures=[picture(tmp_path, "a.png")])
    tokenize(smoke_run, tmp_path, [record] * 2)
    write_checkpoint(tmp_path / "other")
    open_batches(smoke_run / "start", (tmp_path / "out",), size=2, seed=1, dropout=0)
    with pytest.raises(ValueError, match="was made for another model"):
        open_batches(tmp_path / "other", (tmp_path / "out",), size=2, seed=1, dropout=0)


def test_a_limit_of_tokens_can_be_set(smoke_run: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    data.write_text(json.dumps([conversation("a ball", pictures=[picture(tmp_path, "a.png")])]))
    result = run(smoke_run, data, "--max-tokens", "50")
    assert "record 0: the sequence is too long" in result.stderr
    assert "at most 50 fit" in result.stderr


def test_a_picture_that_is_deleted_after_its_check_is_named(smoke_run: Path, tmp_path: Path) -> None:
    names = [picture(tmp_path, "stays.png"), picture(tmp_path, "goes.png")]
    data = tmp_path / "data.json"
    data.write_text(json.dumps([conversation("a ball", pictures=[name]) for name in names]))
    limits = SequenceLimits(*read_vocabulary(smoke_run / "start"), tokens=500)
    checked = check_records(read_records(data), (64, 64), limits)
    assert not checked.faults
    (tmp_path / "goes.png").unlink()
    movqgan = load_movqgan(smoke_run / "start/movqgan")
    assert len(list(encode_records(checked, (64, 64), limits, movqgan))) == 1
    assert checked.faults[0].startswith("record 1: goes.png cannot be read")


@pytest.mark.parametrize(("text", "message"), [("[{", "is not JSON"), ("{}", "contains no list")])
def test_a_file_without_a_list_is_refused(smoke_run: Path, tmp_path: Path, text: str, message: str) -> None:
    data = tmp_path / "data.json"
    data.write_text(text)
    result = run(smoke_run, data)
    assert result.exit_code == 1
    assert message in result.stderr


def test_captions_without_pictures_and_pictures_without_captions_are_bad(
    smoke_run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture(folder, "a.png")
    (folder / "b.txt").write_text("a ball")
    result = run(smoke_run, folder, "--on-bad", "skip")
    assert result.exit_code == 1
    assert "record 0 (a.png): there is no caption a.txt" in result.stderr
    assert "record 1 (b.txt): the caption has no picture of the same name" in result.stderr
    assert "nothing was written: 2 of 2 records are bad\n" in result.stderr


def test_pictures_that_the_image_tokenizer_cannot_reconstruct_are_refused(tmp_path: Path) -> None:
    """The bundled tokenizer reconstructs only pictures of the scene world; others would train noise."""
    (tmp_path / "pictures").mkdir()
    picture(tmp_path / "pictures", "a.png")
    (tmp_path / "pictures/a.txt").write_text("a ball")
    call = ["--model", str(BUNDLED), "--data", str(tmp_path / "pictures"), "--out", str(tmp_path / "out")]
    refused = CliRunner().invoke(main, call)
    assert refused.exit_code == 1
    assert "the image tokenizer cannot reconstruct these pictures" in refused.stderr
    assert "at least 20 dB are required" in refused.stderr
    assert not (tmp_path / "out").exists()
    assert CliRunner().invoke(main, [*call, "--allow-unknown-pictures"]).exit_code == 0


OTHER_SUFFIXES = Path(__file__).parents[2] / "cases" / "other_suffixes"


def test_a_jfif_with_a_caption_is_read_and_messages_about_other_formats_list_the_supported_ones() -> None:
    """Fixed bug: all three files gave 'the caption has no picture beside it'."""
    said: dict[str, str] = {}
    for record in read_records(OTHER_SUFFIXES):
        try:
            (example,) = record.examples()
            said[example.pictures[0].name] = "read"
        except BadRecordError as error:
            said[record.name] = str(error)
    assert said.pop("j.jfif") == "read"
    assert len(said) == 2
    for words in said.values():
        assert re.match(r"a_(bmp\.bmp|tif\.tif) has an unsupported format", words)
        assert ".png, " in words
        assert ".jfif" in words
