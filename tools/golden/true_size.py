"""Inputs, times and output of the true-size comparisons with authors' code."""

import json
import resource
import time

import torch
from safetensors.torch import save_file
from transformers import CLIPTokenizer

from pipelines import vocabulary

PROMPT, NEGATIVE, SCALE = "a photograph of the kitten", "blurry", 4


def tokenizer() -> CLIPTokenizer:
    vocab, merges = vocabulary()
    return CLIPTokenizer(vocab=vocab, merges=merges, pad_token="!", model_max_length=77)


def small(state: dict) -> dict:
    """In 16 bits, which both sides read into 32: half the disk."""
    return {name: (tensor.bfloat16() if tensor.is_floating_point() else tensor).contiguous() for name, tensor in state.items()}


def without_zeros(module: torch.nn.Module) -> None:
    """Layers that begin as zeros would hide what is before them."""
    for tensor in module.state_dict().values():
        if tensor.is_floating_point() and not tensor.any():
            tensor.normal_(std=0.02)


def timed(function, times: list):
    def call(*positional, **named):
        begun = time.perf_counter()
        result = function(*positional, **named)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
        return result

    return call


def inputs(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A photograph in 0..1 whose result has this side, and the noise at which the trajectory begins."""
    generator = torch.Generator().manual_seed(1)
    lq = torch.rand(1, 3, side // SCALE, side // SCALE, generator=generator)
    return lq, torch.randn(1, 4, side // 8, side // 8, generator=generator)


def write(arguments, tensors: dict, times: dict, guidance: float) -> None:
    description = dict(
        times=times, peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, steps=arguments.steps, bandwidth=1.0,
        strength=0.0, guidance=guidance, prompt=PROMPT, negative=NEGATIVE,
    )  # fmt: skip
    stored = {name: tensor.cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(stored, arguments.output, {"description": json.dumps(description)})
