"""Weights that need not be stored: numbers from a counter by an integer hash, the same to the last bit in Rust."""

import math

import numpy
import torch


def uniform(seed: int, count: int) -> numpy.ndarray:
    """`count` numbers in [-0.5, 0.5), multiples of 2^-24: the finaliser of SplitMix64 over a counter."""
    with numpy.errstate(over="ignore"):
        z = (numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
        z += numpy.uint64(seed << 40)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return (z >> numpy.uint64(40)).astype(numpy.float64) / 2**24 - 0.5


def describe(module: torch.nn.Module) -> list:
    """[name, shape, scale, offset] of every tensor; the value is `offset + scale * uniform(position in the list)`."""
    described = []
    for name, tensor in sorted(module.state_dict().items()):
        # Masks are computed, not learned.
        if not tensor.is_floating_point() or name.endswith("attn_mask"):
            continue
        if tensor.dim() > 1:  # keeps the variance of what passes, with a scale that is a power of two
            scale, offset = 2.0 ** round(math.log2(math.sqrt(12 / (tensor.numel() / tensor.shape[0])))), 0.0
        else:
            scale, offset = 0.5, 0.0 if name.endswith("bias") else 1.0
        described.append([name, list(tensor.shape), scale, offset])
    return described


def fill(module: torch.nn.Module) -> None:
    """Writes those weights into the module."""
    state = module.state_dict()
    for seed, (name, shape, scale, offset) in enumerate(describe(module)):
        values = offset + scale * uniform(seed, math.prod(shape))
        state[name].copy_(torch.from_numpy(values.astype(numpy.float32)).reshape(shape))
