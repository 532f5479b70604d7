"""The first network of kds-photo-x1 and kds-inpaint (`predictor.py`), trained by itself.

The loss is relative: logarithms of each crop's mean absolute error and LPIPS. By the errors themselves, noise and blur
outweigh mild JPEG, which then comes back worse than it was. What is known and what is in a hole are measured apart, since a
hole's error is many times that of the rest; LPIPS looks at what is known alone, as texture in holes is the diffusion
network's part.
"""

import torch

import same_size
from lpips import Lpips, at_one_phase
from predictor import build, load  # noqa: F401

# Below these an error counts no more: two thirds of a grey level (pictures are in [-1, 1]), and invisible.
FLOOR = 0.005
LPIPS_FLOOR = 0.02
HOLE_WEIGHT = 0.5

known, prepare = same_size.known, same_size.prepare


def objective(options, device):
    distance = Lpips(options.lpips).to(device, memory_format=torch.channels_last)

    def losses(forward, fraction, high, filled, hole):
        restored = forward(filled, hole).float()
        error = (restored - high).abs().mean(1, keepdim=True)
        outside, inside = (log_mean(error, where) for where in (1 - hole, hole))
        seen = torch.where(hole > 0, high, restored).clamp(-1.2, 1.2)
        perceived = (distance(*at_one_phase(seen, high)) + LPIPS_FLOOR).log()
        return error.mean(), (outside + HOLE_WEIGHT * inside + options.perceptual * perceived).mean()

    return losses


def log_mean(error: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """The logarithm of each crop's mean error where `where` is 1, N; of no pixels, that of the floor."""
    mean = (error * where).sum((1, 2, 3)) / where.sum((1, 2, 3)).clamp(min=1)
    return (mean + FLOOR).log()
