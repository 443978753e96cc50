"""All errors that the MoVQGAN package raises.

MoVQGANError
├── MoVQGANConfigError          no model can be built from the configuration
├── CheckpointError             the weights cannot be loaded
│   ├── CheckpointUnreadableError   the file is missing, truncated or of another format
│   ├── UnsafeCheckpointError       the pickle has other contents than tensors
│   └── WeightsMismatchError        weights are missing, unexpected or of a wrong shape; lists all of them
├── PixelShapeError             the picture's size is not a multiple of the token grid
└── CodeRangeError              a code is outside the codebook
"""

from collections.abc import Mapping, Sequence

from shared.errors import LuminaryError


class MoVQGANError(LuminaryError):
    """Base of the package's errors."""

    code = "movqgan_error"
    hint = "Read the message; it names the cause."


class MoVQGANConfigError(MoVQGANError):
    """The configuration is incomplete, contradicts itself or has an unknown option."""

    code = "movqgan_config_invalid"
    hint = "Compare the file with the published ddconfig, n_embed and embed_dim."


class CheckpointError(MoVQGANError):
    """The weights cannot be loaded."""

    code = "movqgan_checkpoint_invalid"
    hint = "Copy the published checkpoint again."


class CheckpointUnreadableError(CheckpointError):
    """The file is missing, truncated, or neither a PyTorch nor a safetensors file."""

    code = "movqgan_checkpoint_unreadable"


class UnsafeCheckpointError(CheckpointError):
    """The pickle would run code or create objects; only tensors are loaded."""

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
        super().__init__("the weights do not match the configuration; " + "; ".join(parts))


class PixelShapeError(MoVQGANError):
    """The picture tensor has a wrong layout, or a side that is not a multiple of the token grid."""

    code = "pixel_shape_invalid"
    hint = "Use a width and a height that are multiples of 8 pixels."


class CodeRangeError(MoVQGANError):
    """The grid of codes has a wrong layout, or a code that the codebook does not have."""

    code = "token_out_of_range"
    hint = "Pass codes from 0 to n_embed - 1, as encode returns them."
