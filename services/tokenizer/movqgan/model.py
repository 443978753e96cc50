"""The MoVQGAN model: encodes pictures as grids of codes and decodes them."""

import torch
from torch import Tensor, nn

from services.tokenizer.movqgan.config import MoVQGANConfig
from services.tokenizer.movqgan.convolutions import reproducible_convolutions
from services.tokenizer.movqgan.decoder import Decoder
from services.tokenizer.movqgan.encoder import Encoder
from services.tokenizer.movqgan.errors import CodeRangeError, PixelShapeError
from services.tokenizer.movqgan.quantizer import Quantizer


class MoVQGAN(nn.Module):
    """Encoder, codebook and decoder under the key names of the public checkpoints.

    `encode` and `decode` record no gradients, move their input to the parameters' device and work picture by
    picture: on one machine, the bits of a result do not depend on the other pictures of the batch, and memory
    does not grow with the batch. Training uses `encode_latents`, `quantize` and `decode_latents`, which
    process the whole batch at once, with gradients.
    """

    def __init__(self, config: MoVQGANConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quantize = Quantizer(config.n_embed, config.embed_dim)
        self.quant_conv = nn.Conv2d(config.z_channels, config.embed_dim, kernel_size=1)
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.z_channels, kernel_size=1)

    @torch.no_grad()
    @reproducible_convolutions()
    def encode(self, pixels: Tensor) -> Tensor:
        """Encode pictures as codes [batch, height / 8, width / 8] int64; 8 is `config.downsampling`.

        pixels: [batch, in_channels, height, width] in [-1, 1].
        Raises PixelShapeError.
        """
        weight = self.quant_conv.weight
        pictures = pixels.to(weight.device, weight.dtype).split(1)
        return torch.cat([self.quantize.nearest_codes(self.encode_latents(picture)) for picture in pictures])

    @torch.no_grad()
    @reproducible_convolutions()
    def decode(self, codes: Tensor) -> Tensor:
        """Decode codes to pixels [batch, out_ch, height * 8, width * 8], about in [-1, 1].

        codes: [batch, height, width], integers from 0 to n_embed - 1.
        Raises CodeRangeError.
        """
        self._check_codes(codes)
        grids = codes.to(self.quant_conv.weight.device, torch.int64).split(1)
        return torch.cat([self.decode_latents(self.quantize.vectors_of(grid)) for grid in grids])

    def encode_latents(self, pixels: Tensor) -> Tensor:
        """Latents before quantisation, [batch, embed_dim, height / 8, width / 8].

        pixels: [batch, in_channels, height, width] in [-1, 1].
        Raises PixelShapeError.
        """
        self._check_pixels(pixels)
        return self.quant_conv(self.encoder(pixels))

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Pixels [batch, out_ch, height * 8, width * 8] of quantised latents.

        latents: [batch, embed_dim, height, width], from `quantize`.
        """
        return self.decoder(self.post_quant_conv(latents), latents)

    def _check_pixels(self, pixels: Tensor) -> None:
        channels, step = self.config.in_channels, self.config.downsampling
        if pixels.ndim != 4 or pixels.shape[1] != channels or 0 in pixels.shape:
            raise PixelShapeError(
                f"pixels have shape {tuple(pixels.shape)}; "
                f"expected [batch, {channels}, height, width] without zeros"
            )
        height, width = pixels.shape[2:]
        if height % step or width % step:
            raise PixelShapeError(f"width and height of {width}x{height} must be multiples of {step} pixels")

    def _check_codes(self, codes: Tensor) -> None:
        if codes.ndim != 3 or 0 in codes.shape or codes.is_floating_point():
            raise CodeRangeError(
                f"codes are {codes.dtype} of shape {tuple(codes.shape)}; "
                "expected integers of shape [batch, height, width] without zeros"
            )
        lowest, highest = int(codes.min()), int(codes.max())
        if lowest < 0 or highest >= self.config.n_embed:
            wrong = lowest if lowest < 0 else highest
            raise CodeRangeError(f"code {wrong} is outside the codebook of {self.config.n_embed} codes")
