"""Stands in for diffusers on a machine that has torch alone: `UNet2DModel` as the built-in models use it, without attention,
with the time embedding as scale and shift, under the names of diffusers' tensors."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn


class Output(NamedTuple):
    sample: torch.Tensor


class TimeEmbedding(nn.Module):
    def __init__(self, channels: int, width: int):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(channels, width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear_2(F.silu(self.linear_1(x)))


class Resnet(nn.Module):
    def __init__(self, inside: int, outside: int, width: int, groups: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inside, eps=1e-5)
        self.conv1 = nn.Conv2d(inside, outside, 3, padding=1)
        self.time_emb_proj = nn.Linear(width, 2 * outside)
        self.norm2 = nn.GroupNorm(groups, outside, eps=1e-5)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inside, outside, 1) if inside != outside else nn.Identity()

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        scale, shift = self.time_emb_proj(F.silu(embedding))[:, :, None, None].chunk(2, 1)
        inner = self.norm2(self.conv1(F.silu(self.norm1(x)))) * (1 + scale) + shift
        return self.conv_shortcut(x) + self.conv2(F.silu(inner))


class Resample(nn.Module):
    def __init__(self, channels: int, up: bool):
        super().__init__()
        self.up = up
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, stride=1 if up else 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest") if self.up else x)


class Level(nn.Module):
    def __init__(self, resnets: list[Resnet], down: int = 0, up: int = 0):
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        self.downsamplers = nn.ModuleList([Resample(down, up=False)] if down else [])
        self.upsamplers = nn.ModuleList([Resample(up, up=True)] if up else [])


class UNet2DModel(nn.Module):
    def __init__(self, in_channels, out_channels, block_out_channels, layers_per_block, norm_num_groups, down_block_types,
                 up_block_types, sample_size=None, add_attention=False, resnet_time_scale_shift="scale_shift"):  # fmt: skip
        super().__init__()
        plain = {*down_block_types, *up_block_types} == {"DownBlock2D", "UpBlock2D"}
        if not plain or add_attention or resnet_time_scale_shift != "scale_shift":
            raise ValueError("only networks without attention, with scale and shift")
        channels, first = list(block_out_channels), block_out_channels[0]
        width = 4 * first
        self.frequencies = first // 2
        self.conv_in = nn.Conv2d(in_channels, first, 3, padding=1)
        self.time_embedding = TimeEmbedding(first, width)

        def resnet(inside: int, outside: int) -> Resnet:
            return Resnet(inside, outside, width, norm_num_groups)

        self.down_blocks, skips, before = nn.ModuleList(), [first], first
        for index, outside in enumerate(channels):
            sides = [before] + [outside] * (layers_per_block - 1)
            last = index == len(channels) - 1
            self.down_blocks.append(Level([resnet(inside, outside) for inside in sides], down=0 if last else outside))
            skips += [outside] * (layers_per_block + (not last))
            before = outside
        self.mid_block = Level([resnet(before, before), resnet(before, before)])
        self.up_blocks = nn.ModuleList()
        for index, outside in enumerate(reversed(channels)):
            resnets = []
            for _ in range(layers_per_block + 1):
                resnets.append(resnet(before + skips.pop(), outside))
                before = outside
            self.up_blocks.append(Level(resnets, up=0 if index == len(channels) - 1 else outside))
        self.conv_norm_out = nn.GroupNorm(norm_num_groups, first, eps=1e-5)
        self.conv_out = nn.Conv2d(first, out_channels, 3, padding=1)

    def forward(self, sample: torch.Tensor, timestep) -> Output:
        timestep = torch.as_tensor(timestep, device=sample.device).expand(len(sample)).float()
        powers = torch.arange(self.frequencies, device=sample.device) / self.frequencies
        angles = timestep[:, None] * torch.exp(-math.log(10_000) * powers)
        embedding = self.time_embedding(torch.cat([angles.cos(), angles.sin()], 1).to(self.conv_in.weight.dtype))
        x = self.conv_in(sample)
        skips = [x]
        for level in self.down_blocks:
            for resnet in level.resnets:
                x = resnet(x, embedding)
                skips.append(x)
            for resample in level.downsamplers:
                x = resample(x)
                skips.append(x)
        for resnet in self.mid_block.resnets:
            x = resnet(x, embedding)
        for level in self.up_blocks:
            for resnet in level.resnets:
                x = resnet(torch.cat([x, skips.pop()], 1), embedding)
            for resample in level.upsamplers:
                x = resample(x)
        return Output(self.conv_out(F.silu(self.conv_norm_out(x))))
