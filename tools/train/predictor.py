"""The first stage of kds-photo-x1 and kds-inpaint: a network that restores a photograph in one pass, without noise.

It gives the mean of what the truth may be, which is blurred wherever the photograph leaves a choice; diffusion then adds
what is missing ("predict and refine": Whang et al., *Deblurring via Stochastic Refinement*, CVPR 2022). The network is a
small U-Net of residual blocks, as in Zhang et al., *Plug-and-Play Image Restoration with Deep Denoiser Prior* (DRUNet),
with the normalisation of Chen et al., *Simple Baselines for Image Restoration* (NAFNet), over the channels of each pixel: so
what it does at one place depends on nothing far away. Without any, rectifiers died at the coarse levels, and smooth
activations saw so small signals that they were all but linear.

As in kds-photo-x4, it sees the detail of the photograph once more, amplified.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

DETAIL_WINDOW = 5  # side of the local mean, in pixels
DETAIL_GAIN = 8.0
CONFIG = dict(shuffle=2, block_out_channels=(48, 96, 192), layers_per_block=2, middle_layers=4)


class ChannelNorm(nn.LayerNorm):
    """Over the channels of each pixel of N x C x h x w."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Begins as the identity."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(F.silu(self.conv1(self.norm(x))))


class Level(nn.Module):
    """Residual blocks; `down` halves the resolution after them, `up` doubles it before them."""

    def __init__(self, channels: int, layers: int, coarser: int | None, up: bool):
        super().__init__()
        self.resample = None
        if coarser is not None:
            self.resample = (
                nn.ConvTranspose2d(coarser, channels, 2, stride=2) if up else nn.Conv2d(channels, coarser, 2, stride=2)
            )
        self.blocks = nn.Sequential(*(Block(channels) for _ in range(layers)))


class Predictor(nn.Module):
    """`forward` takes N x 3 x h x w in [-1, 1], filled, and its hole, N x 1 x h x w, 1 inside; h and w are multiples of
    `multiple`. It returns the restored photograph."""

    def __init__(self, shuffle: int, block_out_channels: tuple[int, ...], layers_per_block: int, middle_layers: int):
        super().__init__()
        self.shuffle = shuffle
        self.multiple = shuffle << (len(block_out_channels) - 1)
        first, last = block_out_channels[0], block_out_channels[-1]
        steps = list(zip(block_out_channels, block_out_channels[1:]))
        self.conv_in = nn.Conv2d(7 * shuffle**2, first, 3, padding=1)
        self.down = nn.ModuleList(Level(fine, layers_per_block, coarse, up=False) for fine, coarse in steps)
        self.middle = Level(last, middle_layers, None, up=False)
        self.up = nn.ModuleList(Level(fine, layers_per_block, coarse, up=True) for fine, coarse in reversed(steps))
        self.conv_out = nn.Conv2d(first, 3 * shuffle**2, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, picture: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
        mean = F.avg_pool2d(picture, DETAIL_WINDOW, 1, DETAIL_WINDOW // 2, count_include_pad=False)
        known = torch.cat([picture, hole, DETAIL_GAIN * (picture - mean)], 1)
        x = self.conv_in(F.pixel_unshuffle(known, self.shuffle))
        skips = []
        for level in self.down:
            x = level.blocks(x)
            skips.append(x)
            x = level.resample(x)
        x = self.middle.blocks(x)
        for level in self.up:
            x = level.blocks(level.resample(x) + skips.pop())
        return picture + F.pixel_shuffle(self.conv_out(x), self.shuffle)


def build() -> Predictor:
    return Predictor(**CONFIG)


def load(file: Path) -> Predictor:
    """Trained weights, frozen, in f32."""
    network = build().requires_grad_(False)
    network.load_state_dict({name: value.float() for name, value in load_file(file).items()})
    return network
