"""The kinds of work of a decoder: inspect a picture, fit it, read it as a mask, convert it, cut it out.

Each kind is a frozen object that runs on the bytes of a file, in this process or in a child process.
"""

from dataclasses import asdict, dataclass
from typing import Any

from shared.pictures.converting import Conversion, convert
from shared.pictures.crop_sizes import Size
from shared.pictures.cutting_out import cut_out
from shared.pictures.fitting import fit_to
from shared.pictures.mask_modes import MaskMode, MaskReading
from shared.pictures.masks import CellMask, read_mask
from shared.pictures.opening import PictureFacts, inspect_picture, open_image
from shared.pictures.whitening import whiten_transparency
from shared.pictures.wire import Frame


@dataclass(frozen=True)
class Panel:
    """An RGB picture in a size of the model. pixels: row by row, three bytes each."""

    width: int
    height: int
    pixels: bytes


@dataclass(frozen=True)
class Inspect:
    """Decode the picture completely, and return its format and size."""

    max_pixels: int

    def run(self, data: bytes) -> Frame:
        """Format and size as a frame. Raises ImageError."""
        return Frame(asdict(inspect_picture(data, self.max_pixels)))

    @staticmethod
    def result(frame: Frame) -> PictureFacts:
        """The PictureFacts in the frame of `run`."""
        return PictureFacts(**frame.head)


@dataclass(frozen=True)
class Fit:
    """Decode the picture, blend it with white, scale and crop it; see `fitting.fit_to`."""

    max_pixels: int
    fit: int | Size

    def run(self, data: bytes) -> Frame:
        """The panel as a frame. Raises ImageError."""
        panel = fit_to(whiten_transparency(open_image(data, self.max_pixels)), self.fit)
        return Frame({"width": panel.width, "height": panel.height}, panel.tobytes())

    @staticmethod
    def result(frame: Frame) -> Panel:
        """The panel in the frame of `run`."""
        return Panel(**frame.head, pixels=frame.body)


@dataclass(frozen=True)
class ReadMask:
    """Find the cells that a mask frees; see `masks.read_mask`."""

    max_pixels: int
    size: Size
    cell: int
    mode: MaskMode

    def run(self, data: bytes) -> Frame:
        """The cells as a frame. Raises ImageError."""
        mask = read_mask(data, max_pixels=self.max_pixels, size=self.size, cell=self.cell, mode=self.mode)
        head = asdict(mask)
        return Frame(head, bytes(head.pop("free")))

    @staticmethod
    def result(frame: Frame) -> CellMask:
        """The mask in the frame of `run`."""
        fields: dict[str, Any] = {**frame.head, "reading": MaskReading(frame.head["reading"])}
        return CellMask(**fields, free=tuple(map(bool, frame.body)))


@dataclass(frozen=True)
class Convert:
    """Encode the picture in another format or size; see `converting.convert`."""

    max_pixels: int
    media_type: str
    quality: int
    side: int | None

    def run(self, data: bytes) -> Frame:
        """The file as a frame. Raises ImageError."""
        conversion = Conversion(self.media_type, self.quality, self.side)
        return Frame({}, convert(open_image(data, self.max_pixels), conversion))

    @staticmethod
    def result(frame: Frame) -> bytes:
        """The file in the frame of `run`."""
        return frame.body


@dataclass(frozen=True)
class CutOut:
    """Make the background transparent; see `cutting_out.cut_out`.

    The body is the picture's file of `picture_bytes` bytes, followed by that of its segmentation map.
    """

    max_pixels: int
    media_type: str
    quality: int
    picture_bytes: int

    def run(self, data: bytes) -> Frame:
        """The file as a frame. Raises ImageError."""
        picture, segmentation = data[: self.picture_bytes], data[self.picture_bytes :]
        conversion = Conversion(self.media_type, self.quality)
        file, kept = cut_out(picture, segmentation, self.max_pixels, conversion)
        return Frame({"kept": kept}, file)

    @staticmethod
    def result(frame: Frame) -> tuple[bytes, float]:
        """The file in the frame of `run`, and the share of pixels that are left."""
        return frame.body, frame.head["kept"]


Work = Inspect | Fit | ReadMask | Convert | CutOut


def question(work: Work, data: bytes, cpu_seconds: float) -> Frame:
    """The frame that requests the work."""
    return Frame({"work": type(work).__name__, "cpu_seconds": cpu_seconds, **asdict(work)}, data)


def work_of(head: dict[str, Any]) -> Work:
    """The work that a frame requests. Raises ValueError for an unknown kind."""
    match head:
        case {"work": "Inspect", "max_pixels": most}:
            return Inspect(most)
        case {"work": "Fit", "max_pixels": most, "fit": [width, height]}:
            return Fit(most, (width, height))
        case {"work": "Fit", "max_pixels": most, "fit": side}:
            return Fit(most, side)
        case {"work": "ReadMask", "max_pixels": most, "size": [width, height], "cell": cell, "mode": mode}:
            return ReadMask(most, (width, height), cell, MaskMode(mode))
        case {"work": "Convert", "max_pixels": most, "media_type": kind, "quality": quality, "side": side}:
            return Convert(most, kind, quality, side)
        case {"work": "CutOut", "max_pixels": most, "media_type": kind, "quality": quality, **rest}:
            return CutOut(most, kind, quality, rest["picture_bytes"])
        case _:
            raise ValueError(f"no such work: {head}")
