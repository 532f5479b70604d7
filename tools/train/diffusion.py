"""The objective of the diffusion models: the mean squared error of v; in the last part (`--perceptual-from`) LPIPS of the
predicted x0 is added, weighted by alphas_cumprod, so only where the noise leaves detail to judge."""

import torch

from lpips import Lpips, at_one_phase


def objective(kind, options, device):
    """`kind` has `alphas_cumprod`, `condition`, `encode` and `decode`."""
    distance = Lpips(options.lpips).to(device, memory_format=torch.channels_last)
    alphas = kind.alphas_cumprod().float().to(device)

    def losses(forward, fraction, high, *known):
        x0 = kind.encode(high, *known)
        # One stratified draw per crop: less variance of the loss over noise levels than independent draws. More of them
        # where there is much noise: there the picture is decided, and few samplers visit the other end.
        share = (torch.arange(len(x0), device=device) + torch.rand(len(x0), device=device)) / len(x0)
        t = (share**options.exponent * 1000).long().clamp(max=999)
        alpha = alphas[t].sqrt().view(-1, 1, 1, 1)
        sigma = (1 - alphas[t]).sqrt().view(-1, 1, 1, 1)
        noise = torch.randn_like(x0)
        noisy, v = alpha * x0 + sigma * noise, alpha * noise - sigma * x0
        inputs = torch.cat([noisy, kind.condition(*known)], 1).to(memory_format=torch.channels_last)
        predicted = forward(inputs, t).sample.float()
        error = (predicted - v).square().mean()
        if fraction < options.perceptual_from:
            return error, error
        image = kind.decode(alpha * noisy - sigma * predicted, *known).clamp(-1.2, 1.2)
        return error, error + options.perceptual * (alphas[t] * distance(*at_one_phase(image, high))).mean()

    return losses
