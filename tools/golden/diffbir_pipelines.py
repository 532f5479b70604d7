"""Golden data of DiffBIR: its own pipeline, with small random models and given noise.

    python tools/golden/diffbir_pipelines.py tests/golden/diffbir.safetensors DIFFBIR

DIFFBIR is a checkout: see `authors.py`. Weights are not stored: both sides make them from a counter by the same integer
hash (`weights.py`); their names are those of the authors' files. See README.md beside this file for the contents of the
result.
"""

import json
import sys
from types import SimpleNamespace
from unittest import mock

import torch
from safetensors.torch import save_file
from transformers import CLIPTokenizer

import authors
from control import diffbir_shape
from pipelines import vocabulary
from weights import describe, fill

STEPS, LENGTH, TEXT, SHRINK = 5, 17, 32, 1 / 16


def text_encoder(size):
    original = dict(
        embed_dim=TEXT, layer="penultimate",
        vision_cfg=dict(image_size=28, layers=1, width=16, head_width=8, patch_size=14),
        text_cfg=dict(context_length=LENGTH, vocab_size=size, width=TEXT, heads=4, layers=3),
    )  # fmt: skip
    config = dict(
        vocab_size=size, hidden_size=TEXT, intermediate_size=4 * TEXT, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=LENGTH, hidden_act="gelu", eos_token_id=size - 1,
    )  # fmt: skip
    return original, config


def autoencoder():
    original = dict(embed_dim=4, ddconfig=dict(
        double_z=True, z_channels=4, resolution=64, in_channels=3, out_ch=3, ch=32, ch_mult=[1, 1, 2, 2],
        num_res_blocks=1, attn_resolutions=[], dropout=0.0,
    ))  # fmt: skip
    config = dict(
        in_channels=3, out_channels=3, latent_channels=4, block_out_channels=[32, 32, 64, 64], layers_per_block=1,
        norm_num_groups=32, scaling_factor=0.18215, down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
    )  # fmt: skip
    return original, config


class Noise:
    """Stands for torch.randn and torch.randn_like within the pipeline: the same noise on every side."""

    def __init__(self, noise):
        self.noise, self.drawn = noise, 0

    def __call__(self, *_, **__):
        self.drawn += 1
        return self.noise[self.drawn - 1]


def restoration_guidance(modules, cldm, condition):
    """Restoration guidance of one x0, at each step of a spaced sampler."""
    x0 = torch.randn(2, 4, 8, 16)
    tensors, cases = {"guidance/x0": x0}, []
    model = SimpleNamespace(vae_encode=lambda picture: cldm.vae_encode(picture, sample=False), vae_decode=cldm.vae_decode)
    cldm.requires_grad_(False)
    for name, kind, space, scale, repeat, start, stop in (
        ("latent", modules.cond_fn.MSEGuidance, "latent", 0.002, 1, 1001, -1),
        ("latent_thrice", modules.cond_fn.MSEGuidance, "latent", 0.001, 3, 700, 200),
        ("picture", modules.cond_fn.MSEGuidance, "rgb", 0.01, 1, 1001, -1),
        ("weighted", modules.cond_fn.WeightedMSEGuidance, "rgb", 0.01, 2, 1001, 300),
    ):
        # Theirs is a mean over the picture; of one of 512 x 512 each pixel counts less.
        function = kind(scale * condition.shape[2] * condition.shape[3] / 512**2, start, stop, space, repeat)
        function.load_target(condition * 2 - 1)
        diffusion = modules.diffusion.Diffusion(linear_start=0.00085, linear_end=0.012, timesteps=1000)
        sampler = modules.old_sampler.SpacedSampler(diffusion.betas)
        sampler.make_schedule(STEPS)
        steps = []
        for index in reversed(range(STEPS)):
            timesteps = torch.full((2,), int(sampler.timesteps[index]))
            with torch.no_grad():
                step = sampler.apply_cond_fn(model, x0, timesteps, torch.full((2,), index), function)
            moved = (step - x0).abs().max().item()
            print("guidance", name, timesteps[0].item(), moved)
            steps.append(step)
        tensors[f"guidance/{name}"] = torch.stack(steps)
        assert (tensors[f"guidance/{name}"][-1 if stop < 0 else 2] - x0).abs().max() > 1e-3
        cases.append(dict(name=name, space="picture" if space == "rgb" else space, scale=scale, repeat=repeat,
                          distance="mse" if kind is modules.cond_fn.MSEGuidance else "weighted_mse",
                          **{"from": start, "to": stop}))  # fmt: skip
    return cases, tensors


def main():
    modules = authors.diffbir(sys.argv[2])
    torch.manual_seed(0)
    vocab, merges = vocabulary()
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, pad_token="!", model_max_length=LENGTH)
    unet, unet_config, branch_config = diffbir_shape((32, 64), 1, TEXT)
    clip, clip_config = text_encoder(len(vocab))
    vae, vae_config = autoencoder()
    cldm = modules.cldm.ControlLDM(
        unet_cfg=dict(unet, out_channels=4), vae_cfg=vae, clip_cfg=clip, controlnet_cfg=dict(unet, hint_channels=4),
        latent_scale_factor=0.18215,
    ).eval()  # fmt: skip
    cleaner = modules.bsrnet.RRDBNet(nf=8, nb=2, gc=4, sf=4).eval()
    parts = dict(
        unet=(cldm.unet, unet_config), controlnet=(cldm.controlnet, branch_config), vae=(cldm.vae, vae_config),
        text_encoder=(cldm.clip, clip_config), stage1=(cleaner, dict(channels=8, blocks=2, growth=4, scale=4)),
    )  # fmt: skip
    for module, _ in parts.values():
        fill(module)
    components = {name: dict(config=config, weights=describe(module)) for name, (module, config) in parts.items()}

    def encode(texts):
        tokens = tokenizer(texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt").input_ids
        return cldm.clip(tokens)

    cldm.clip.encode = encode
    lq = torch.rand(1, 3, 16, 32)
    # A random network leaves the range of colours: its last layer is brought back into it.
    with torch.no_grad():
        print("stage 1", cleaner(lq).std(), cleaner(lq).abs().max())
        cleaner.conv_last.weight *= SHRINK
        cleaner.conv_last.bias.copy_(cleaner.conv_last.bias * SHRINK + 0.5)
        condition = cleaner(lq)
        print("stage 1", condition.min(), condition.max())
    for entry in components["stage1"]["weights"]:
        if entry[0].startswith("conv_last."):
            entry[2:] = [entry[2] * SHRINK, 0.5 if entry[0].endswith("bias") else 0.0]
    stored, cases = dict(lq=lq), []
    prompts = dict(prompt="a photo of the kitten", negative="blurry kitchen")
    for name, version, sampler, start, guidance, rescale, strength in (
        ("v1_unguided", "v1", "ddim", "noise", 1.0, False, 1.0),
        ("v2_ddim", "v2", "ddim", "noise", 4.0, False, 1.0),
        ("v2_spaced_cond", "v2", "spaced", "cond", 4.0, True, 0.7),
        ("v2.1_ddim", "v2.1", "ddim", "noise", 3.0, False, 1.0),
    ):
        more = dict(zero_snr=True, parameterization="v") if version == "v2.1" else {}
        diffusion = modules.diffusion.Diffusion(linear_start=0.00085, linear_end=0.012, timesteps=1000, **more)
        pipeline = modules.pipeline.BSRNetPipeline(cleaner, cldm, diffusion, None, "cpu", 4)
        noise = torch.randn(1 + STEPS, 1, 4, 8, 16)
        decoded = []
        decode = cldm.vae.decode

        def observe(latents, decode=decode, decoded=decoded):
            decoded.append(latents)
            return decode(latents)

        draws = Noise(noise)
        with (
            torch.no_grad(),
            mock.patch.object(torch, "randn", draws),
            mock.patch.object(torch, "randn_like", draws),
            mock.patch.object(cldm.vae, "decode", observe),
        ):
            sample = pipeline.apply_cldm(
                condition, STEPS, strength, False, -1, False, -1, False, -1, -1, prompts["prompt"], prompts["negative"],
                guidance, start, sampler, 0, rescale, 0, 0, 300, 1, 1, 1,
            )  # fmt: skip
        fixed = modules.common.wavelet_reconstruction((sample + 1) / 2, condition)
        tensors = dict(noise=noise, latents=decoded[0] * 0.18215, y=fixed * 2 - 1)
        if name == "v2_ddim":  # also before its colours are those of stage 1
            tensors["picture"] = sample
        for key, value in tensors.items():
            assert torch.isfinite(value).all() and value.std() > 1e-2, (name, key)
        print(name, {key: (value.std().item(), value.abs().max().item()) for key, value in tensors.items()})
        stored |= {f"{name}/{key}": value.contiguous().clone() for key, value in tensors.items()}
        cases.append(dict(name=name, version=version, sampler=sampler, start=start, guidance=guidance, rescale=rescale,
                          strength=strength, steps=STEPS, **prompts))  # fmt: skip
    stored["stage1"] = condition
    guided, tensors = restoration_guidance(modules, cldm, condition)
    stored |= tensors
    files = dict(vocab=vocab, merges=merges, padding="!", length=LENGTH)
    description = dict(components=components, files=files, cases=cases, guided=guided)
    save_file(stored, sys.argv[1], {"cases": json.dumps([description], separators=(",", ":"))})
    print(f"{len(cases)} cases in {sys.argv[1]}")


if __name__ == "__main__":
    main()
