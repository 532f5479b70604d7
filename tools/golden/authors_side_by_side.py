"""The reference side of `cargo xtask compare diffbir`: the authors' own pipeline at its true size, with random weights.

    python authors_side_by_side.py save diffbir FOLDER --authors DIFFBIR      random weights, in the authors' files
    python authors_side_by_side.py run diffbir FOLDER OUT --authors DIFFBIR   inputs, result, times and memory

DIFFBIR is a checkout: see `authors.py`. One particle, no steering, which the authors' code has not.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from unittest import mock

import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

import authors
from pipelines import vocabulary

GUIDANCE, PROMPT, NEGATIVE, SCALE = 4.0, "a photograph of the kitten", "blurry", 4
DIFFUSION, BRANCH, CLEANER = "v2-1_512-ema-pruned", "v2", "BSRNet"
PREFIXES = dict(unet="model.diffusion_model.", vae="first_stage_model.", clip="cond_stage_model.")


def networks(folder: str):
    modules = authors.diffbir(folder)
    config = OmegaConf.to_container(OmegaConf.load(f"{folder}/configs/inference/cldm.yaml"))["params"]
    cleaner = OmegaConf.to_container(OmegaConf.load(f"{folder}/configs/inference/bsrnet.yaml"))["params"]
    return modules, modules.cldm.ControlLDM(**config).eval(), modules.bsrnet.RRDBNet(**cleaner).eval()


def tokenizer() -> CLIPTokenizer:
    vocab, merges = vocabulary()
    return CLIPTokenizer(vocab=vocab, merges=merges, pad_token="!", model_max_length=77)


def save(arguments) -> None:
    torch.manual_seed(0)
    _, cldm, cleaner = networks(arguments.authors)
    # Layers that begin as zeros would hide what is before them.
    for tensor in [*cldm.unet.state_dict().values(), *cldm.controlnet.state_dict().values()]:
        if not tensor.any():
            tensor.normal_(std=0.02)
    # In 16 bits, which both sides read into 32: half the disk.
    small = {name: tensor.bfloat16() if tensor.is_floating_point() else tensor
             for part, prefix in PREFIXES.items() for name, tensor in (
                 (prefix + name, tensor.contiguous()) for name, tensor in getattr(cldm, part).state_dict().items())
             if not name.endswith("attn_mask")}  # fmt: skip
    arguments.folder.mkdir(parents=True, exist_ok=True)
    save_file(small, arguments.folder / f"{DIFFUSION}.safetensors")
    for name, network in ((BRANCH, cldm.controlnet), (CLEANER, cleaner)):
        state = {key: tensor.bfloat16().contiguous() for key, tensor in network.state_dict().items()}
        save_file(state, arguments.folder / f"{name}.safetensors")
    tokenizer().save_pretrained(arguments.folder / "tokenizer")


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


def timed(function, times: list):
    def call(*positional, **named):
        begun = time.perf_counter()
        result = function(*positional, **named)
        if result.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
        return result

    return call


def run(arguments) -> None:
    torch.set_num_threads(arguments.threads)
    generator = torch.Generator().manual_seed(1)
    start = time.perf_counter()
    modules, cldm, cleaner = load(arguments)
    loaded = time.perf_counter()
    lq = torch.rand(1, 3, arguments.side // SCALE, arguments.side // SCALE, generator=generator)
    noise = torch.randn(1, 4, arguments.side // 8, arguments.side // 8, generator=generator)
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    tensors = dict(image=lq * 2 - 1, noise=noise, latents=latents[0], picture=picture)
    description = dict(
        times=times, peak=peak, steps=arguments.steps, bandwidth=1.0, strength=0.0, guidance=GUIDANCE, prompt=PROMPT,
        negative=NEGATIVE,
    )  # fmt: skip
    stored = {name: tensor.cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(stored, arguments.output, {"description": json.dumps(description)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("save", "run"))
    parser.add_argument("model", choices=("diffbir",))
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path, nargs="?")
    parser.add_argument("--authors", required=True)
    parser.add_argument("--particles", type=int, choices=(1,), default=1)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    with torch.no_grad():
        save(arguments) if arguments.action == "save" else run(arguments)


if __name__ == "__main__":
    main()
