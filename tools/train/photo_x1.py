"""The architecture of the built-in model kds-photo-x1, which restores photographs at their size and fills holes in them.

It is kds-photo-x4 one storey up. Holes are first filled from what is around them, smoothly (`same_size.py`) and then by a
network (`filler.py`); another guesses the photograph in one pass (`predictor.py`). The latents are again a residual under
pixel_unshuffle by 4 (48 channels on a grid of every fourth pixel), here against that guess. In holes the residual is divided
by a standard deviation of its own, since it is several times as large.

The diffusion network sees the latents, of the guess's cell means what kds-photo-x4 sees of its low-resolution photograph,
the deviations from the cell means, amplified for the same reason, the hole, and what the guess has changed: much where the
photograph was spoilt, and so where the guess may be wrong.
"""

import sys

import torch
import torch.nn.functional as F
from diffusers import UNet2DModel

import filler
import latents_x4
import photo_x4
import predictor_x1
import same_size
import samples

SCALE = 1
CELL = 4  # pixels of the photograph along a side of a pixel of the latents
RESIDUAL_STD = 0.072
HOLE_STD = 0.19
UNET_CONFIG = photo_x4.UNET_CONFIG | dict(
    in_channels=48 + 6 + 48 + 16 + 48,
    # A photograph at its size has sixteen times the pixels of one that is to be enlarged, so this network is lighter.
    block_out_channels=(64, 96, 128),
    layers_per_block=1,
)

alphas_cumprod = photo_x4.alphas_cumprod


def build() -> UNet2DModel:
    """Three eighths of the first features see nothing but the photograph at the start: where all of them see the noise
    too, the network takes thousands of iterations to look past it."""
    model = UNet2DModel(**UNET_CONFIG)
    with torch.no_grad():
        first = model.conv_in.weight
        first[: len(first) * 3 // 8, :48] = 0
    return model


def spread(hole: torch.Tensor) -> torch.Tensor:
    """What the residual is divided by, pixel by pixel."""
    return torch.where(hole > 0, HOLE_STD, RESIDUAL_STD)


def cells(picture: torch.Tensor) -> torch.Tensor:
    """Amplified, on the grid of the latents."""
    return F.pixel_unshuffle(latents_x4.DETAIL_GAIN * picture, CELL)


def condition(guess: torch.Tensor, hole: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    """What the network sees of a guess (N x 3 x h x w in [-1, 1]), the hole (N x 1 x h x w, 1 inside), and what the filled
    photograph has that the guess has not (N x 3 x h x w)."""
    low = F.avg_pool2d(guess, CELL)
    detail = guess - F.interpolate(low, scale_factor=CELL, mode="nearest")
    return torch.cat([latents_x4.condition(low), cells(detail), F.pixel_unshuffle(hole, CELL), cells(change)], 1)


def encode(high: torch.Tensor, guess: torch.Tensor, hole: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    return F.pixel_unshuffle((high - guess) / spread(hole), CELL)


def decode(latents: torch.Tensor, guess: torch.Tensor, hole: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    return guess + F.pixel_shuffle(latents, CELL) * spread(hole)


known, prepare = same_size.known, same_size.prepare


def objective(options, device):
    """`options.predictor` is the file of the first network's weights, `options.filler` that of the one before it."""
    filling = filler.load(options.filler).to(device, memory_format=torch.channels_last)
    predictor = predictor_x1.load(options.predictor).to(device, memory_format=torch.channels_last)
    predict = torch.compile(predictor) if options.compile else predictor
    refine = samples.objective(sys.modules[__name__], options, device)

    def losses(forward, fraction, high, filled, hole):
        with torch.no_grad():
            filled = filler.fill(filled, hole, filling)
            guess = predict(filled, hole).float()
        return refine(forward, fraction, high, guess, guess, hole, filled - guess)

    return losses
