"""Errors of pictures that users send.

ImageError
├── UnsupportedImageFormatError  not PNG, JPEG, WebP or GIF
├── ImageUnreadableError         the right format, but truncated or damaged
├── ImageTooLargeError           more pixels than allowed, refused before decoding
├── ImageTooNarrowError          so long and thin that scaling it for the crop would fill the memory
├── ImageTooComplexError         decoding takes far longer than decoding any usual picture of its size
└── DecodersBusyError            too many pictures are waiting, or the machine is overloaded
"""

from shared.errors import LuminaryError
from shared.pictures.formats import FORMAT_NAMES


class ImageError(LuminaryError):
    """Base of the errors of pictures."""

    code = "image_invalid"
    hint = "Send another picture."


class UnsupportedImageFormatError(ImageError):
    """The file is not a picture, or has another format."""

    code = "image_format_unsupported"
    hint = f"Send a {FORMAT_NAMES} picture."


class ImageUnreadableError(ImageError):
    """The picture is truncated or damaged."""

    code = "image_unreadable"
    hint = "Send the complete file again."


class ImageTooLargeError(ImageError):
    """The picture has more pixels than the service decodes."""

    code = "image_too_large"
    hint = "Scale the picture down before sending it."


class ImageTooNarrowError(ImageError):
    """The picture is too long and thin for any of the model's sizes."""

    code = "image_too_narrow"
    hint = "Crop the picture to an aspect ratio of at most 4:1."


class ImageTooComplexError(ImageError):
    """Decoding the picture takes too long."""

    code = "image_too_complex"
    hint = "Save the picture again, for example as a PNG or a baseline JPEG."


class DecodersBusyError(ImageError):
    """No decoder was free for the picture; the picture itself may be fine."""

    code = "decoders_busy"
    retryable = True
    hint = "Send the picture again in a few seconds."


ERRORS_BY_CODE: dict[str, type[ImageError]] = {
    kind.code: kind for kind in (ImageError, *ImageError.__subclasses__())
}
