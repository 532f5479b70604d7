"""Golden data of whole pipelines of diffusers, with small random models and given noise.

    python tools/golden/pipelines.py tests/golden/pipelines.safetensors

Weights are not stored: both sides make them from a counter by the same integer hash (`weights.py`). See README.md beside
this file for the contents of the result.
"""

import functools
import json
import sys
from unittest import mock

import torch
from diffusers import DDIMScheduler, LDMSuperResolutionPipeline, UNet2DModel, VQModel
from diffusers.pipelines.latent_diffusion import pipeline_latent_diffusion_superresolution
from safetensors.torch import save_file

from weights import describe, fill

STEPS = 5


def component(module):
    """What a folder of the component is made of."""
    module.eval()
    fill(module)
    config = {key: value for key, value in module.config.items() if not key.startswith("_")}
    return dict(config=config, weights=describe(module))


def ldm_sr():
    unet = UNet2DModel(
        in_channels=6, out_channels=3, attention_head_dim=8, block_out_channels=(8, 16, 16, 24), layers_per_block=2,
        norm_num_groups=4, down_block_types=("DownBlock2D",) + ("AttnDownBlock2D",) * 3,
        up_block_types=("AttnUpBlock2D",) * 3 + ("UpBlock2D",),
    )  # fmt: skip
    vqvae = VQModel(
        block_out_channels=(8, 8, 16), layers_per_block=2, latent_channels=3, num_vq_embeddings=37, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
    )  # fmt: skip
    components = dict(unet=component(unet), vqvae=component(vqvae))
    for name, spacing, prediction, eta in (
        ("leading", "leading", "epsilon", 0.0),
        ("trailing_v", "trailing", "v_prediction", 1.0),
    ):
        scheduler = DDIMScheduler(
            beta_start=0.0015, beta_end=0.0155, beta_schedule="scaled_linear", clip_sample=False,
            timestep_spacing=spacing, prediction_type=prediction,
        )  # fmt: skip
        pipeline = LDMSuperResolutionPipeline(vqvae=vqvae, unet=unet, scheduler=scheduler)
        pipeline.set_progress_bar_config(disable=True)
        image, noise = torch.rand(1, 3, 16, 24) * 2 - 1, torch.randn(1 + STEPS, 1, 3, 16, 24)
        decoded = []
        original = vqvae.decode

        def decode(latents, original=original, decoded=decoded):
            output = original(latents)
            decoded.extend([latents, output.sample])
            return output

        step, draws = scheduler.step, iter(noise[1:])

        @functools.wraps(step)  # the pipeline asks whether it takes eta
        def step_with_noise(*arguments, step=step, draws=draws, **options):
            return step(*arguments, **options, variance_noise=next(draws))

        module = pipeline_latent_diffusion_superresolution
        with (
            mock.patch.object(module, "randn_tensor", lambda *_, **__: noise[0]),
            mock.patch.object(vqvae, "decode", decode),
            mock.patch.object(scheduler, "step", step_with_noise),
        ):
            pipeline(image=image, num_inference_steps=STEPS, eta=eta, output_type="np")
        config = {key: value for key, value in scheduler.config.items() if not key.startswith("_")}
        tensors = dict(image=image, noise=noise, latents=decoded[0], y=decoded[1])
        yield f"ldm_sr_{name}", "ldm-sr", components, dict(scheduler=config, spacing=spacing, eta=eta), tensors


def main():
    stored, cases = {}, []
    for make in (ldm_sr,):
        torch.manual_seed(0)
        for name, kind, components, more, tensors in make():
            assert all(torch.isfinite(tensor).all() for tensor in tensors.values()), name
            assert tensors["y"].std() > 1e-2, name
            stored |= {f"{name}/{key}": value.contiguous().clone() for key, value in tensors.items()}
            cases.append(dict(name=name, kind=kind, components=components, steps=STEPS, **more))
    save_file(stored, sys.argv[1], {"cases": json.dumps(cases, separators=(",", ":"))})
    print(f"{len(cases)} cases in {sys.argv[1]}")


if __name__ == "__main__":
    main()
