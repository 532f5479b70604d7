"""Writes the averaged weights of a run as fp16 safetensors: python export.py RUN/checkpoint.pt OUT.safetensors"""

import sys

import torch
from safetensors.torch import save_file

state = torch.load(sys.argv[1], map_location="cpu")
weights = {name: value.half().contiguous() for name, value in state["average"].items()}
metadata = {"model": "kds-photo-x4", "iterations": str(state["iteration"]), "seconds": f"{state['seconds']:.0f}"}
save_file(weights, sys.argv[2], metadata)
print(f"{len(weights)} tensors, {sum(v.numel() for v in weights.values()) / 1e6:.2f} M parameters, {metadata}")
