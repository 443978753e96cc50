"""The configuration of a MoVQGAN: the public `ddconfig`, `n_embed` and `embed_dim` as a frozen dataclass."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, cast

from services.tokenizer.movqgan.errors import MoVQGANConfigError

PresetName = Literal["67M", "102M", "270M"]


@dataclass(frozen=True)
class MoVQGANConfig:
    """Sizes of encoder, codebook and decoder.

    ch: channels of the first level; level i has `ch * ch_mult[i]`.
    num_res_blocks: residual blocks of an encoder level; a decoder level has one more.
    resolution, attn_resolutions: level i has attention if `resolution // 2**i` is listed. They describe only
    the training size; the model accepts any size.
    n_embed, embed_dim: number and length of the codebook vectors.
    mid_attention, norm_groups: not in the public files; the defaults are those of the public models.
    Raises MoVQGANConfigError for values that no model can be built from.
    """

    ch: int
    ch_mult: tuple[int, ...]
    num_res_blocks: int
    attn_resolutions: tuple[int, ...]
    n_embed: int
    embed_dim: int
    z_channels: int
    resolution: int = 256
    in_channels: int = 3
    out_ch: int = 3
    dropout: float = 0.0
    mid_attention: bool = True
    norm_groups: int = 32

    def __post_init__(self) -> None:
        for name in _COUNTS:
            _require_count(name, getattr(self, name))
        if not self.ch_mult:
            raise MoVQGANConfigError("ch_mult is empty; it must have one factor for each level")
        for factor in self.ch_mult:
            _require_count("ch_mult", factor)
        for resolution in self.attn_resolutions:
            _require_count("attn_resolutions", resolution)
        dropout, mid_attention = cast("tuple[object, object]", (self.dropout, self.mid_attention))
        if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
            raise MoVQGANConfigError(f"dropout is {dropout!r}; it must be a probability below 1")
        if not isinstance(mid_attention, bool):
            raise MoVQGANConfigError(f"mid_attention is {mid_attention!r}; it must be true or false")
        for width in self.level_widths:
            if width % self.norm_groups:
                raise MoVQGANConfigError(
                    f"norm_groups {self.norm_groups} does not divide the {width} channels of a level"
                )

    @property
    def level_widths(self) -> tuple[int, ...]:
        """Channels of each level, from full resolution down to the token grid."""
        return tuple(self.ch * factor for factor in self.ch_mult)

    @property
    def attention_levels(self) -> tuple[bool, ...]:
        """Whether each level has attention, in the order of `level_widths`."""
        return tuple(self.resolution >> level in self.attn_resolutions for level in range(len(self.ch_mult)))

    @property
    def downsampling(self) -> int:
        """Width and height of a cell in pixels; 8 in every public model."""
        return 1 << (len(self.ch_mult) - 1)

    @classmethod
    def preset(cls, name: PresetName) -> Self:
        """Configuration of a published model, named by its number of parameters."""
        ch, num_res_blocks = {"67M": (128, 2), "102M": (128, 4), "270M": (256, 2)}[name]
        return cls(
            ch=ch,
            ch_mult=(1, 2, 2, 4),
            num_res_blocks=num_res_blocks,
            attn_resolutions=(32,),
            n_embed=16384,
            embed_dim=4,
            z_channels=4,
        )

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> Self:
        """Read the public JSON, bare or inside `model_params`.

        Raises MoVQGANConfigError that lists every missing and every unknown entry.
        """
        params = _mapping("model_params", document.get("model_params", document))
        ddconfig = dict(_mapping("ddconfig", params.get("ddconfig", {})))
        if ddconfig.pop("double_z", False) is not False:
            raise MoVQGANConfigError("double_z is set, but MoVQGAN does not predict a variance")
        values = {**ddconfig, **{key: value for key, value in params.items() if key != "ddconfig"}}
        known = {field.name for field in fields(cls)}
        missing, unknown = sorted(_REQUIRED - values.keys()), sorted(values.keys() - known)
        if missing or unknown:
            raise MoVQGANConfigError(f"missing entries: {missing}; unknown entries: {unknown}")
        for name in ("ch_mult", "attn_resolutions"):
            if not isinstance(values[name], list | tuple):
                raise MoVQGANConfigError(f"{name} is {values[name]!r}; it must be a list of integers")
            values[name] = tuple(cast("list[int]", values[name]))
        return cls(**cast("dict[str, Any]", values))  # __post_init__ checks every value

    def to_dict(self) -> dict[str, object]:
        """The public JSON layout; `from_dict` reads it back."""
        values = asdict(self)
        top = {name: values.pop(name) for name in _TOP_LEVEL}
        return {"ddconfig": {"double_z": False, **values}, **top}


_TOP_LEVEL = ("n_embed", "embed_dim", "mid_attention", "norm_groups")
_REQUIRED = {"ch", "ch_mult", "num_res_blocks", "attn_resolutions", "n_embed", "embed_dim", "z_channels"}
_COUNTS = (
    "ch",
    "num_res_blocks",
    "n_embed",
    "embed_dim",
    "z_channels",
    "resolution",
    "in_channels",
    "out_ch",
    "norm_groups",
)


def _require_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise MoVQGANConfigError(f"{name} is {value!r}; it must be a positive integer")


def _mapping(name: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise MoVQGANConfigError(f"{name} is {value!r}; it must be a JSON object")
    return cast("Mapping[str, object]", value)
