"""An encoder that starts as a principal component analysis of single cells, in closed form.

The public architecture lets every code depend on the whole picture: convolutions overlap and group norm
takes its statistics everywhere. For the scene world, whose cells have few looks, that is only noise for
a transformer to learn. The weights written here make a latent depend on the pixels of its own cell alone:
the residual branches are silent, strided convolutions read squares without overlap, and the last norm is
held constant by channels of a large constant value, which also take its mean out again.
"""

import torch
from torch import Tensor, nn

from services.tokenizer.movqgan import MoVQGAN
from services.tokenizer.movqgan.blocks import ResnetBlock
from services.tokenizer.movqgan.encoder import EncoderLevel

HELD = 200.0
"""Size of the constant channels against data of about unit deviation; with it the norm varies by 1e-4."""
LINEAR_AT = 20.0
"""SiLU is the identity to 2e-8 here; data of unit deviation stays within a few units of it."""


@torch.no_grad()
def fit_encoder(model: MoVQGAN, cells: Tensor, weights: Tensor) -> Tensor:
    """Write the weights and return the latents of `cells`: [cells, embed_dim].

    cells: [cells, 3, side, side] in [-1, 1], side = `config.downsampling`; weights: [cells], how much each
    counts. Latents are the first `embed_dim` components, scaled to a total variance of `embed_dim`.
    Raises ValueError for a configuration without room for them.
    """
    config = model.config
    widths = config.level_widths
    data = config.embed_dim
    group = widths[-1] // config.norm_groups
    if -(-data // config.norm_groups) > group - 2 or data != config.z_channels:
        raise ValueError(f"{widths[-1]} channels in {config.norm_groups} groups leave no room for {data}")
    _silence_residuals(model)
    features = cells
    _write(model.encoder.conv_in, torch.eye(3), torch.zeros(3))
    for level, module in enumerate(model.encoder.down):
        if not isinstance(module, EncoderLevel) or module.downsample is None:
            continue
        squares = _squares(features)
        matrix, shift = principal_components(squares.flatten(0, 2), _spread(weights, squares), widths[level])
        _write_strided(module.downsample.conv, matrix, shift, features.shape[1])
        features = (squares @ matrix.T + shift).permute(0, 3, 1, 2)
    points = features.flatten(1)
    matrix, shift = principal_components(points, weights, data)
    latents = points @ matrix.T + shift
    scale = (data / (_deviation(latents, weights).square().sum())).sqrt()
    _write_last_layers(model, matrix * scale, shift * scale)
    return latents * scale


def principal_components(points: Tensor, weights: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The map x -> matrix @ x + shift to at most `most` components, strongest first.

    points: [points, width]; weights: [points]. Returns [components, width] and [components].
    """
    shares = (weights / weights.sum()).double()
    exact = points.double()
    mean = shares @ exact
    centred = exact - mean
    _, vectors = torch.linalg.eigh(centred.T @ (centred * shares[:, None]))
    matrix = vectors.flip(1)[:, :most].T
    return matrix.float(), (-matrix @ mean).float()


def _silence_residuals(model: MoVQGAN) -> None:
    """Make every residual block of the encoder the identity, or the widening of its channels."""
    if model.encoder.mid.attn_1 is not None or any(model.config.attention_levels):
        raise ValueError("a cell's latent depends on that cell alone only without attention")
    for module in model.encoder.modules():
        if isinstance(module, ResnetBlock):
            nn.init.zeros_(module.conv2.weight)
            nn.init.zeros_(_bias(module.conv2))
            shortcut = getattr(module, "nin_shortcut", None)
            if isinstance(shortcut, nn.Conv2d):
                _write(shortcut, torch.eye(shortcut.in_channels), torch.zeros(shortcut.in_channels))


def _write(conv: nn.Conv2d, matrix: Tensor, shift: Tensor) -> None:
    """A convolution that maps each pixel by itself; outputs beyond the matrix are zero."""
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(_bias(conv))
    centre = conv.kernel_size[0] // 2
    conv.weight[: matrix.shape[0], : matrix.shape[1], centre, centre] = matrix
    _bias(conv)[: len(shift)] = shift


def _write_strided(conv: nn.Conv2d, matrix: Tensor, shift: Tensor, channels: int) -> None:
    """A 3x3 convolution of stride 2 that reads 2x2 squares only: its third row and column are zero."""
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(_bias(conv))
    kernel = matrix.unflatten(1, (2, 2, channels)).permute(0, 3, 1, 2)
    conv.weight[: len(matrix), :channels, :2, :2] = kernel
    _bias(conv)[: len(shift)] = shift


def _write_last_layers(model: MoVQGAN, matrix: Tensor, shift: Tensor) -> None:
    """The middle's last block lays the components out among constants; conv_out reads them past the norm.

    Of every norm group some channels hold components, two hold +HELD and -HELD, the rest zero. The mean
    of those two, after the norm, is minus the group's mean over its deviation, and is subtracted.
    """
    encoder, config = model.encoder, model.config
    data, groups = config.embed_dim, config.norm_groups
    width = config.level_widths[-1] // groups
    component = torch.arange(data)
    place = component % groups * width + component // groups
    high = torch.arange(groups) * width + width - 1
    low = high - 1

    # The level's widening shortcut is the only linear map left that sees every channel before the norm.
    shortcut = _widening_of_last_level(model)
    laid_out = torch.zeros(groups * width, matrix.shape[1])
    laid_out[place] = matrix
    offsets = torch.zeros(groups * width)
    offsets[place] = shift
    offsets[high], offsets[low] = HELD, -HELD
    _write(shortcut, laid_out, offsets)

    deviation = HELD * (2 / width) ** 0.5
    norm = encoder.norm_out
    norm.weight.fill_(deviation)
    norm.bias.fill_(LINEAR_AT)
    norm.bias[low] = LINEAR_AT + HELD
    nn.init.zeros_(encoder.conv_out.weight)
    encoder.conv_out.weight[component, place, 1, 1] = 1.0
    for constants in (high, low):
        encoder.conv_out.weight[component, constants[component % groups], 1, 1] = -0.5
    # with the group's mean m, a component x arrives as x - m + LINEAR_AT, the constants as
    # HELD - m + LINEAR_AT and LINEAR_AT - m: what is left of the three is x less half of HELD
    _bias(encoder.conv_out).fill_(HELD / 2)
    _write(model.quant_conv, torch.eye(data), torch.zeros(data))


def _widening_of_last_level(model: MoVQGAN) -> nn.Conv2d:
    last = list(model.encoder.down)[-1]
    shortcuts = [m for name, m in last.named_modules() if name == "block.0.nin_shortcut"]
    if not shortcuts or not isinstance(shortcuts[0], nn.Conv2d):
        raise ValueError("the last level needs to be wider than the one before it")
    return shortcuts[0]


def _squares(features: Tensor) -> Tensor:
    """[cells, channels, side, side] to [cells, side / 2, side / 2, 4 * channels]: row, column, channel."""
    cells, channels, side, _ = features.shape
    squares = features.reshape(cells, channels, side // 2, 2, side // 2, 2).permute(0, 2, 4, 3, 5, 1)
    return squares.reshape(cells, side // 2, side // 2, 4 * channels)


def _spread(weights: Tensor, squares: Tensor) -> Tensor:
    """The weight of each square: [cells] to [cells * rows * columns]."""
    return weights.repeat_interleave(squares.shape[1] * squares.shape[2])


def _deviation(points: Tensor, weights: Tensor) -> Tensor:
    shares = weights / weights.sum()
    return (shares @ points.square()).sqrt()


def _bias(conv: nn.Conv2d) -> Tensor:
    if conv.bias is None:
        raise ValueError("every convolution of the tokenizer has a bias")
    return conv.bias
