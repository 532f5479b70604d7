"""Converts the published weights of metrics into the safetensors files that `kds eval` reads.

    python tools/metrics/convert.py lpips ALEXNET LINEAR OUTPUT
    python tools/metrics/convert.py dists VGG16 WEIGHTS OUTPUT
    python tools/metrics/convert.py niqe PARAMETERS OUTPUT

ALEXNET and VGG16 are torchvision's ImageNet weights (alexnet-owt-*.pth, vgg16-*.pth); LINEAR is `lpips/weights/v0.1/alex.pth`
of the package lpips, WEIGHTS is `weights.pt` of the package DISTS-pytorch, PARAMETERS is the authors' `modelparameters.mat` of
NIQE or the `.npz` that BasicSR made of it. Needs torch, safetensors, numpy, and scipy for a `.mat`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file


def load(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, map_location="cpu", weights_only=True)


def features(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in weights.items() if name.startswith("features.")}


def lpips(arguments) -> dict[str, torch.Tensor]:
    return features(load(arguments.alexnet)) | load(arguments.linear)


def dists(arguments) -> dict[str, torch.Tensor]:
    weights = load(arguments.weights)
    return features(load(arguments.vgg16)) | {name: weights[name].reshape(1, -1, 1, 1) for name in ("alpha", "beta")}


def niqe(arguments) -> dict[str, torch.Tensor]:
    if arguments.parameters.suffix == ".mat":
        from scipy.io import loadmat

        found = loadmat(arguments.parameters)
        mean, covariance = found["mu_prisparam"], found["cov_prisparam"]
    else:
        found = np.load(arguments.parameters)
        mean, covariance = found["mu_pris_param"], found["cov_pris_param"]
    double = lambda array: torch.from_numpy(np.ascontiguousarray(array, dtype=np.float64))  # noqa: E731
    return {"mean": double(mean).reshape(36), "covariance": double(covariance).reshape(36, 36)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for convert, inputs in ((lpips, ("alexnet", "linear")), (dists, ("vgg16", "weights")), (niqe, ("parameters",))):
        command = commands.add_parser(convert.__name__)
        for name in (*inputs, "output"):
            command.add_argument(name, type=Path)
        command.set_defaults(convert=convert)
    arguments = parser.parse_args()
    tensors = arguments.convert(arguments)
    save_file({name: value.contiguous() for name, value in tensors.items()}, arguments.output)
    print(f"{arguments.output}: {len(tensors)} tensors")


if __name__ == "__main__":
    main()
