"""The authors' own modules of DiffBIR and SeeSR, from checkouts of their repositories:

    git clone https://github.com/XPixelGroup/DiffBIR    at 3f8b5304245ba0ffd6f1995e51c27c3c72d7618f
    git clone https://github.com/cswry/SeeSR            at 8edecc71c4f3efa01cd26078f2e8dffd1ce80a6a

Restoration guidance of DiffBIR is in its present modules, and the last sampler that applies it in an older commit of the same checkout.
SeeSR's were written for diffusers 0.21; what has moved since is given its old names here.
"""

import contextlib
import importlib
import importlib.util
import subprocess
import sys
import types
from unittest import mock

import diffusers
import torch


GUIDED = "7a332cc^"


def diffbir(folder):
    for name in ("torchsde", "torchdiffeq"):  # of samplers that are not run here
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchdiffeq"].odeint = None
    torch.Tuple = tuple
    sys.path.insert(0, folder)
    modules = types.SimpleNamespace(
        cldm=importlib.import_module("diffbir.model.cldm"),
        bsrnet=importlib.import_module("diffbir.model.bsrnet"),
        diffusion=importlib.import_module("diffbir.model.gaussian_diffusion"),
        pipeline=importlib.import_module("diffbir.pipeline"),
        common=importlib.import_module("diffbir.utils.common"),
    )
    modules.cond_fn = importlib.import_module("diffbir.utils.cond_fn")
    modules.old_sampler = last_guided_sampler(folder, modules)
    modules.pipeline.VRAMPeakMonitor = contextlib.nullcontext  # asks for a GPU
    return modules


def last_guided_sampler(folder, modules):
    """The module of the last commit whose sampler applies restoration guidance, on today's other modules."""
    source = subprocess.check_output(["git", "-C", folder, "show", f"{GUIDED}:utils/sampler.py"], text=True)
    utils = types.ModuleType("utils")
    older = {"utils": utils, "utils.cond_fn": modules.cond_fn, "utils.common": modules.common,
             "model": types.ModuleType("model"), "model.gaussian_diffusion": modules.diffusion,
             "model.cldm": modules.cldm}  # fmt: skip
    for name in ("sliding_windows", "gaussian_weights"):
        vars(modules.common).setdefault(name, None)
    module = types.ModuleType("old_sampler")
    with mock.patch.dict(sys.modules, older):
        exec(compile(source, "utils/sampler.py", "exec"), vars(module))
    return module


def from_file(name, path):
    """A module whose own name is one of ours too."""
    description = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    return module


def seesr(folder):
    from diffusers.pipelines import pipeline_utils
    from diffusers.models.controlnets import multicontrolnet
    from diffusers.models.transformers import dual_transformer_2d, transformer_2d
    from diffusers.models import attention, downsampling, embeddings, normalization, resnet, upsampling

    diffusers.loaders.FromOriginalControlnetMixin = diffusers.loaders.FromOriginalModelMixin
    sys.modules["diffusers.pipeline_utils"] = pipeline_utils
    sys.modules.setdefault("diffusers.pipelines.controlnet.multicontrolnet", multicontrolnet)
    sys.modules["diffusers.models.dual_transformer_2d"] = dual_transformer_2d
    sys.modules["diffusers.models.transformer_2d"] = transformer_2d
    for module in (downsampling, upsampling):
        for name in vars(module):
            if name.endswith("2D") and not hasattr(resnet, name):
                setattr(resnet, name, getattr(module, name))
    attention.AdaGroupNorm = normalization.AdaGroupNorm
    embeddings.PositionNet = embeddings.GLIGENTextBoundingboxProjection
    sys.path.insert(0, folder)
    return types.SimpleNamespace(
        unet=importlib.import_module("models.unet_2d_condition"),
        controlnet=importlib.import_module("models.controlnet"),
        pipeline=from_file("seesr_pipeline", f"{folder}/pipelines/pipeline_seesr.py"),
    )
