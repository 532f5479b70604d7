"""Writes the averaged weights of a run as the fp16 safetensors of a component of a model folder, `unet` or `predictor`:

    python export.py RUN/checkpoint.pt MODEL_FOLDER/COMPONENT
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

state = torch.load(sys.argv[1], map_location="cpu")
weights = {name: value.half().contiguous() for name, value in state["average"].items()}
folder = Path(sys.argv[2]).resolve()
metadata = {
    "model": f"{folder.parent.name}/{folder.name}",
    "iterations": str(state["iteration"]),
    "seconds": f"{state['seconds']:.0f}",
}
save_file(weights, folder / "diffusion_pytorch_model.safetensors", metadata)
print(f"{len(weights)} tensors, {sum(v.numel() for v in weights.values()) / 1e6:.2f} M parameters, {metadata}")
