"""DiffBIR v2 at its true size, for `authors_side_by_side.py`."""

import time
from unittest import mock

import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file

import authors
from true_size import NEGATIVE, PROMPT, SCALE, inputs, small, timed, tokenizer, without_zeros, write

GUIDANCE = 4.0
DIFFUSION, BRANCH, CLEANER = "v2-1_512-ema-pruned", "v2", "BSRNet"
PREFIXES = dict(unet="model.diffusion_model.", vae="first_stage_model.", clip="cond_stage_model.")


def networks(folder: str):
    modules = authors.diffbir(folder)
    config = OmegaConf.to_container(OmegaConf.load(f"{folder}/configs/inference/cldm.yaml"))["params"]
    cleaner = OmegaConf.to_container(OmegaConf.load(f"{folder}/configs/inference/bsrnet.yaml"))["params"]
    return modules, modules.cldm.ControlLDM(**config).eval(), modules.bsrnet.RRDBNet(**cleaner).eval()


def save(arguments) -> None:
    _, cldm, cleaner = networks(arguments.authors)
    without_zeros(cldm.unet)
    without_zeros(cldm.controlnet)
    parts = {prefix + name: tensor for part, prefix in PREFIXES.items()
             for name, tensor in getattr(cldm, part).state_dict().items() if not name.endswith("attn_mask")}  # fmt: skip
    save_file(small(parts), arguments.folder / f"{DIFFUSION}.safetensors")
    for name, network in ((BRANCH, cldm.controlnet), (CLEANER, cleaner)):
        save_file(small(network.state_dict()), arguments.folder / f"{name}.safetensors")


def load(arguments):
    modules, cldm, cleaner = networks(arguments.authors)
    everything = load_file(arguments.folder / f"{DIFFUSION}.safetensors")
    for part, prefix in PREFIXES.items():
        state = {name.removeprefix(prefix): everything.pop(name) for name in list(everything) if name.startswith(prefix)}
        getattr(cldm, part).load_state_dict(state, strict=part != "clip")
    cldm.controlnet.load_state_dict(load_file(arguments.folder / f"{BRANCH}.safetensors"))
    cleaner.load_state_dict(load_file(arguments.folder / f"{CLEANER}.safetensors"))
    words = tokenizer()

    def encode(texts):
        tokens = words(texts, padding="max_length", truncation=True, max_length=77, return_tensors="pt").input_ids
        return cldm.clip(tokens.to(arguments.device))

    cldm.clip.encode = encode
    return modules, cldm.to(arguments.device), cleaner.to(arguments.device)


def run(arguments) -> None:
    start = time.perf_counter()
    modules, cldm, cleaner = load(arguments)
    loaded = time.perf_counter()
    lq, noise = inputs(arguments.side)
    diffusion = modules.diffusion.Diffusion(linear_start=0.00085, linear_end=0.012, timesteps=1000)
    diffusion.to(arguments.device)
    pipeline = modules.pipeline.BSRNetPipeline(cleaner, cldm, diffusion, None, arguments.device, SCALE)
    evaluations, decodes, latents, decode = [], [], [], cldm.vae_decode
    cldm.forward = timed(cldm.forward, evaluations)

    def observe(z, *options):
        latents.append(z)
        return timed(decode, decodes)(z, *options)

    cldm.vae_decode = observe
    lq = lq.to(arguments.device)
    pipeline.set_output_size(lq.size())
    begun = time.perf_counter()
    condition = pipeline.apply_cleaner(lq, False, -1, -1)
    with mock.patch.object(torch, "randn", lambda *_, **__: noise.to(arguments.device)):
        sample = pipeline.apply_cldm(
            condition, arguments.steps, 1.0, False, -1, False, -1, False, -1, -1, PROMPT, NEGATIVE, GUIDANCE, "noise",
            "ddim", 0, False, 0, 0, 300, 1, 1, 1,
        )  # fmt: skip
    picture = modules.common.wavelet_reconstruction((sample + 1) / 2, condition) * 2 - 1
    whole = time.perf_counter() - begun
    times = dict(load=loaded - start, step=min(evaluations), decode=decodes[0], whole=whole)
    write(arguments, dict(image=lq * 2 - 1, noise=noise, latents=latents[0], picture=picture), times, GUIDANCE)
