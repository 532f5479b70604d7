"""The first stage of kds-photo-x4: a network that enlarges a photograph in one pass, without noise.

EDSR (Lim et al., *Enhanced Deep Residual Networks for Single Image Super-Resolution*, CVPRW 2017) without its upsampler: it
stays on the low-resolution grid and gives the latents of `photo_x4.py`, the residual against bicubic enlargement. Its last
features go into the diffusion network beside that guess, as SRDiff does with its encoder (Li et al., *SRDiff*,
Neurocomputing 2022).
"""

import torch
import torch.nn.functional as F
from torch import nn

from latents_x4 import CHANNELS

CONFIG = dict(channels=64, layers=16)


class Block(nn.Module):
    """Begins as the identity."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


class Edsr(nn.Module):
    """`forward` takes `condition` of the low-resolution photograph, N x 6 x h x w. It returns the latents of the guess,
    N x 48 x h x w, and the features, N x `channels` x h x w."""

    def __init__(self, channels: int, layers: int):
        super().__init__()
        self.conv_in = nn.Conv2d(6, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(channels) for _ in range(layers)))
        self.conv_features = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_out = nn.Conv2d(channels, CHANNELS, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.conv_in(known)
        features = x + self.conv_features(self.blocks(x))
        return self.conv_out(features), features

