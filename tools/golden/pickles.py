"""Small files as torch.save, state_dict() and training frameworks write them, and what is in them.

    python tools/golden/pickles.py tests/golden/pickles

`expected.safetensors` holds the tensors of every file, `FILE/NAME`, as torch.load gives them. Lightning itself is not needed:
its checkpoints are dictionaries, and what stands in for its classes has their names.
"""

import argparse
import functools
import sys
import types
from collections import OrderedDict
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file


@functools.cache
def stand_in(module: str, name: str) -> type:
    """A class of a framework, by the name that pickle looks it up under."""
    made = type(name, (), {"__module__": module})
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
    setattr(sys.modules[module], name, made)
    return made


def module() -> torch.nn.Module:
    made = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Linear(3, 2))
    with torch.no_grad():
        for index, parameter in enumerate(made.parameters()):
            parameter.copy_(torch.arange(parameter.numel()).reshape(parameter.shape) / 7 + index)
    return made


def lightning(state: dict) -> dict:
    checkpoint = stand_in("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
    optimizer = torch.optim.AdamW(module().parameters(), lr=1e-3)
    hyper = argparse.Namespace(lr=1e-3, betas=(0.9, 0.99), path=Path("data"), device=torch.device("cpu"), dtype=torch.float16)
    best = stand_in("pytorch_lightning.utilities.parsing", "AttributeDict")()
    best.score = numpy.float64(0.25)
    return {
        "epoch": 3, "global_step": 10**10, "pytorch-lightning_version": "1.4.2", "state_dict": state,
        "callbacks": {checkpoint: {"monitor": None, "best_model_score": torch.tensor(0.5), "best": best}},
        "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [{"last": [1e-3, float("inf"), -(2**70)]}],
        "hparams_name": "config", "hyper_parameters": hyper, "steps": numpy.arange(3), "seen": {1, 2, 3}, "raw": b"\x00\xff",
    }  # fmt: skip


def files() -> dict:
    state = module().state_dict()
    line = torch.arange(60, dtype=torch.float32) / 3
    views = {
        "transposed": line.reshape(6, 10).t(),
        "part": line.reshape(3, 4, 5)[1:, ::2, 3],
        "first": line[:7],
        "second": line[5:12],
        "expanded": line[3:5].unsqueeze(0).expand(3, 2),
        "channels_last": line[:48].reshape(1, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "double": line.double()[10:20] + 1e-9,
        "half": line.half()[1:],
        "bfloat16": line.bfloat16()[:-1],
    }
    parameters = OrderedDict((name, torch.nn.Parameter(tensor)) for name, tensor in module().named_parameters())
    return {
        "plain.pth": dict(state),
        "ordered.pth": state,
        "parameters.bin": parameters,
        "views.pt": views,
        "lightning.ckpt": lightning(state),
        "basicsr.pth": {"params": {"other": line}, "params_ema": state},
        "nested.pth": {"model": state, "config": {"size": 384}, "epoch": numpy.int64(7)},
        "parallel.pth": {"state_dict": OrderedDict((f"module.{name}", tensor) for name, tensor in state.items())},
        "legacy.pth": state,
        "legacy_views.pth": views,
        "protocol4.pth": lightning(state),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    expected = {}
    for name, content in files().items():
        torch.save(
            content, folder / name, pickle_protocol=4 if name == "protocol4.pth" else 2,
            _use_new_zipfile_serialization=not name.startswith("legacy"),
        )  # fmt: skip
        loaded = torch.load(folder / name, weights_only=False)
        state = next((loaded[key] for key in ("params_ema", "state_dict", "model") if key in loaded), loaded)
        for key, tensor in state.items():
            expected[f"{name}/{key}"] = tensor.detach().clone(memory_format=torch.contiguous_format)
    save_file(expected, folder / "expected.safetensors")


if __name__ == "__main__":
    main()
