"""Writes the averaged weights of a run as fp16 safetensors into a model folder, or into one component of it:

    python export.py RUN/checkpoint.pt MODEL_FOLDER             # photo_x4: a file for each component
    python export.py RUN/checkpoint.pt MODEL_FOLDER/COMPONENT   # filler, predictor_x1, photo_x1
    python export.py RUN/checkpoint.pt MODEL_FOLDER 0.5         # the mean of the run's weights and those that are there
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

state = torch.load(sys.argv[1], map_location="cpu")
target = Path(sys.argv[2]).resolve()
share = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
components = [folder for folder in (target / "predictor", target / "unet") if folder.is_dir()]
for folder in components or [target]:
    prefix = f"{folder.name}." if components else ""
    average = {name.removeprefix(prefix): value for name, value in state["average"].items() if name.startswith(prefix)}
    file = folder / "diffusion_pytorch_model.safetensors"
    if share < 1:
        before = load_file(file)
        average = {name: torch.lerp(before[name].float(), value.float(), share) for name, value in average.items()}
    weights = {name: value.half().contiguous() for name, value in average.items()}
    metadata = {
        "model": f"{folder.parent.name}/{folder.name}",
        "iterations": str(state["iteration"]),
        "seconds": f"{state['seconds']:.0f}",
    }
    save_file(weights, file, metadata)
    print(f"{len(weights)} tensors, {sum(v.numel() for v in weights.values()) / 1e6:.2f} M parameters, {metadata}")
