"""LPIPS of finished samples, with gradients through the last steps of the sampler (DRaFT-K: Clark et al., *Directly
Fine-Tuning Diffusion Models on Differentiable Rewards*, ICLR 2024; here the reward is that the sample looks like the truth).

The squared error of v teaches each step on noised truths alone; what the steps before it leave behind is different, and no
loss tells the network how the end of a run looks.
"""

import math
import random

import torch
import torch.nn.functional as F

import diffusion
from lpips import Lpips, at_one_phase

STEPS = (5, 8, 8, 12)  # of the sampler; 8 is the default of the models
LEARNED = (1, 1, 2)  # last steps that gradients pass through
# The restoration takes its low frequencies from a consensus of the particles and the first network's estimate (`fusion` of the
# registry), so a sample is judged with those of the estimate: what it has there itself is left to the loss of v.
FUSION = 1.2  # standard deviation of the filter, in pixels
PIXELS = 8.0  # weight of the mean absolute error beside LPIPS


def objective(kind, options, device):
    """The objective of `diffusion.py`, and with `--samples` LPIPS and absolute error of samples of half of each batch. `kind`
    has `alphas_cumprod`, `condition`, `encode` and `decode`."""
    refine = diffusion.objective(kind, options, device)
    distance = Lpips(options.lpips).to(device, memory_format=torch.channels_last) if options.samples else None
    alphas = kind.alphas_cumprod().float().to(device)

    def losses(forward, fraction, high, estimate, *known):
        """`estimate`: pictures of the first network, N x 3 x H x W in [-1, 1]."""
        if distance is None:
            return refine(forward, fraction, high, *known)
        half = len(high) // 2
        error, loss = refine(forward, fraction, high[:half], *(part[:half] for part in known))
        high, estimate, known = high[half:], estimate[half:], [part[half:] for part in known]
        noise = torch.randn_like(kind.encode(high, *known))
        image = kind.decode(sample(forward, alphas, kind.condition(*known), noise), *known)
        image = image + smooth(estimate - image, FUSION)
        seen = distance(*at_one_phase(image.clamp(-1.2, 1.2), high)).mean()
        pixels = (image - high).abs().mean()
        return torch.stack([error, seen, pixels]).detach(), loss + options.samples * (seen + PIXELS * pixels)

    return losses


def sample(forward, alphas: torch.Tensor, condition: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """DDIM (Song et al. 2021) with trailing timesteps: latents from `noise`."""
    x, steps, learned = noise, random.choice(STEPS), random.choice(LEARNED)
    times = [round(len(alphas) * (1 - index / steps)) - 1 for index in range(steps)]
    levels = [alphas[t] for t in times] + [torch.ones_like(alphas[0])]
    for index, (t, now, then) in enumerate(zip(times, levels, levels[1:])):
        with torch.set_grad_enabled(index >= steps - learned):
            inputs = torch.cat([x, condition], 1).to(memory_format=torch.channels_last)
            v = forward(inputs, torch.full((len(x),), t, device=x.device)).sample.float()
            x0 = now.sqrt() * x - (1 - now).sqrt() * v
            x = then.sqrt() * x0 + (1 - then).sqrt() * ((1 - now).sqrt() * x + now.sqrt() * v)
    return x


def smooth(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """The Gaussian filter of fusion, which reaches three standard deviations; the edge is repeated."""
    radius = math.ceil(3 * sigma)
    line = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=image.device) / sigma) ** 2)
    line = line / line.sum()
    planes = F.pad(image.flatten(0, 1)[:, None], [radius] * 4, mode="replicate").float()
    with torch.autocast(image.device.type, enabled=False):
        planes = F.conv2d(F.conv2d(planes, line.view(1, 1, 1, -1)), line.view(1, 1, -1, 1))
    return planes.view_as(image)
