"""LPIPS v0.1 on AlexNet (Zhang et al. 2018) from one safetensors file; images N x 3 x H x W in [-1, 1]."""

from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file

TAPS = (1, 4, 7, 9, 11)  # after each ReLU


def at_one_phase(*images: torch.Tensor) -> list[torch.Tensor]:
    """The images from the same random one of the first 4 x 4 pixels on. AlexNet looks at every fourth pixel: at one phase it
    would not see a pattern of cells of 4 x 4, such as those of the latents."""
    down, across = torch.randint(4, (2,)).tolist()
    return [image[..., down:, across:] for image in images]


class Lpips(nn.Module):
    def __init__(self, weights: Path):
        super().__init__()
        state = load_file(weights)
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        prefix = "features."
        features = {k.removeprefix(prefix): v.float() for k, v in state.items() if k.startswith(prefix)}
        self.features.load_state_dict(features)
        for index in range(len(TAPS)):
            self.register_buffer(f"head{index}", state[f"lin{index}.model.1.weight"].float())
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def embed(self, image: torch.Tensor) -> list[torch.Tensor]:
        x, taps = (image - self.shift) / self.scale, []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in TAPS:
                taps.append(x / (x.square().sum(1, keepdim=True) + 1e-10).sqrt())
        return taps

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Distance per image, N."""
        pairs = zip(self.embed(first), self.embed(second))
        distances = (F.conv2d((a - b).square(), getattr(self, f"head{i}")).mean((2, 3)) for i, (a, b) in enumerate(pairs))
        return sum(distances).flatten()
