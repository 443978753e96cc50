"""Every error the MoVQGAN package raises on purpose.

MoVQGANError
├── MoVQGANConfigError          a configuration that describes no model
├── CheckpointError             weights that cannot be loaded as they are
│   ├── CheckpointUnreadableError   the file is missing, truncated or of another format
│   ├── UnsafeCheckpointError       a pickle that holds more than plain tensors
│   └── WeightsMismatchError        missing, unexpected or wrongly shaped weights, all in one report
├── PixelShapeError             pixels that do not fall on the token grid
└── CodeRangeError              a token outside the codebook
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar


class MoVQGANError(Exception):
    """Base of the package's errors; `code` is stable, `hint` says what mends it."""

    code: ClassVar[str] = "movqgan_error"
    retryable: ClassVar[bool] = False
    hint: ClassVar[str] = "Read the message; it names the cause."


class MoVQGANConfigError(MoVQGANError):
    """The configuration is incomplete, contradicts itself or asks for an unknown option."""

    code = "movqgan_config_invalid"
    hint = "Compare the file with the published ddconfig, n_embed and embed_dim."


class CheckpointError(MoVQGANError):
    """The weights cannot be loaded."""

    code = "movqgan_checkpoint_invalid"
    hint = "Copy the published checkpoint again."


class CheckpointUnreadableError(CheckpointError):
    """The file is missing, cut short, or neither a PyTorch nor a safetensors file."""

    code = "movqgan_checkpoint_unreadable"


class UnsafeCheckpointError(CheckpointError):
    """The pickle would run code or build objects; only plain tensors are loaded."""

    code = "movqgan_checkpoint_unsafe"
    hint = "Load only the bare state dict that was published, or convert the weights to safetensors."


class WeightsMismatchError(CheckpointError):
    """The weights are not those of the configuration.

    missing and unexpected: key names.
    wrong_shape: key to (shape in the file, shape of the model).
    """

    code = "movqgan_weights_mismatch"
    hint = "Use the configuration that belongs to this checkpoint."

    def __init__(
        self,
        missing: Sequence[str],
        unexpected: Sequence[str],
        wrong_shape: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]],
    ) -> None:
        self.missing = tuple(missing)
        self.unexpected = tuple(unexpected)
        self.wrong_shape = dict(wrong_shape)
        shapes = [f"{key} is {found}, not {wanted}" for key, (found, wanted) in wrong_shape.items()]
        findings = (("missing", missing), ("unexpected", unexpected), ("wrong shape", shapes))
        parts = [f"{len(names)} {title}: {', '.join(names)}" for title, names in findings if names]
        super().__init__("weights do not fit the model; " + "; ".join(parts))


class PixelShapeError(MoVQGANError):
    """The picture tensor has the wrong layout, or a side that the token grid does not divide."""

    code = "image_size_invalid"
    hint = "Use a width and a height that are multiples of 8 pixels."


class CodeRangeError(MoVQGANError):
    """A token grid of the wrong layout, or a token that the codebook does not hold."""

    code = "token_out_of_range"
    hint = "Pass codes from 0 to n_embed - 1, as encode returns them."
