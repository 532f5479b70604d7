"""The reference side of `cargo xtask compare`: diffusers with the same steering, at the true sizes of the models.

    python side_by_side.py save ldm-sr FOLDER                  random weights, as diffusers saves them
    python side_by_side.py run ldm-sr FOLDER OUT [options]     inputs, result, times and memory
"""

import argparse
import json
import resource
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel, UNet2DModel, VQModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from pipelines import vocabulary

BANDWIDTH, STRENGTH, GUIDANCE, PROMPT, NEGATIVE = 1.0, 0.5, 7.5, "a photograph of the kitten", "blurry"


def save(model: str, folder: Path) -> None:
    torch.manual_seed(0)
    if model == "ldm-sr":
        parts = dict(
            unet=UNet2DModel(
                sample_size=64, in_channels=6, out_channels=3, attention_head_dim=32, layers_per_block=2,
                block_out_channels=(160, 320, 320, 640), down_block_types=("DownBlock2D",) + ("AttnDownBlock2D",) * 3,
                up_block_types=("AttnUpBlock2D",) * 3 + ("UpBlock2D",),
            ),
            vqvae=VQModel(
                sample_size=256, block_out_channels=(128, 256, 512), layers_per_block=2, latent_channels=3,
                num_vq_embeddings=8192, down_block_types=("DownEncoderBlock2D",) * 3,
                up_block_types=("UpDecoderBlock2D",) * 3,
            ),
            scheduler=DDIMScheduler(
                beta_start=0.0015, beta_end=0.0155, beta_schedule="scaled_linear", clip_sample=False,
                timestep_spacing="leading",
            ),
        )  # fmt: skip
    else:
        vocab, merges = vocabulary()
        parts = dict(
            unet=UNet2DConditionModel(
                sample_size=64, in_channels=9, out_channels=4, block_out_channels=(320, 640, 1280, 1280),
                attention_head_dim=(5, 10, 20, 20), cross_attention_dim=1024, use_linear_projection=True,
            ),
            vae=AutoencoderKL(
                sample_size=512, block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
                down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            ),
            text_encoder=CLIPTextModel(CLIPTextConfig(
                vocab_size=49408, hidden_size=1024, intermediate_size=4096, num_hidden_layers=23,
                num_attention_heads=16, hidden_act="gelu", eos_token_id=len(vocab) - 1, bos_token_id=len(vocab) - 2,
                pad_token_id=0,
            )),
            tokenizer=CLIPTokenizer(vocab=vocab, merges=merges, pad_token="!", model_max_length=77),
            scheduler=DDIMScheduler(
                beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                set_alpha_to_one=False, steps_offset=1, timestep_spacing="leading",
            ),
        )  # fmt: skip
    for name, part in parts.items():
        part.save_pretrained(folder / name)


def steer(x0: torch.Tensor) -> torch.Tensor:
    """One mean-shift step of every pixel's vector, with a Gaussian kernel."""
    squares = (x0[:, None] - x0[None]).square().sum(2, keepdim=True)
    weights = torch.exp(-squares / (2 * BANDWIDTH**2))
    mean = (weights * x0[None]).sum(1) / weights.sum(1)
    return x0 + STRENGTH * (mean - x0)


def load(model: str, folder: Path):
    """The network as a function of state and timestep, the decoder, and the inputs for a picture of this side."""
    if model == "ldm-sr":
        unet, vqvae = UNet2DModel.from_pretrained(folder / "unet"), VQModel.from_pretrained(folder / "vqvae")

        def prepare(image, mask, particles):
            known = image.expand(particles, -1, -1, -1)
            return lambda x, t: unet(torch.cat([x, known], 1), t).sample

        return prepare, lambda x: vqvae.decode(x).sample, 3, 1
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    vae = AutoencoderKL.from_pretrained(folder / "vae")
    text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder")
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")

    def prepare(image, mask, particles):
        latents = vae.encode(image * (mask < 0.5)).latent_dist.mode() * vae.config.scaling_factor
        known = torch.cat([torch.nn.functional.interpolate(mask, scale_factor=1 / 8), latents], 1)
        known = known.expand(2 * particles, -1, -1, -1)
        tokens = tokenizer([NEGATIVE, PROMPT], padding="max_length", max_length=77, return_tensors="pt").input_ids
        text = text_encoder(tokens)[0].repeat_interleave(particles, 0)

        def network(x, t):
            without, with_prompt = unet(torch.cat([torch.cat([x, x]), known], 1), t, text).sample.chunk(2)
            return without + GUIDANCE * (with_prompt - without)

        return network

    return prepare, lambda x: vae.decode(x / vae.config.scaling_factor).sample, 4, 8


def run(arguments) -> None:
    torch.set_num_threads(arguments.threads)
    generator = torch.Generator().manual_seed(1)
    side, particles = arguments.side, arguments.particles
    start = time.perf_counter()
    prepare, decode, channels, downscale = load(arguments.model, arguments.folder)
    scheduler = DDIMScheduler.from_pretrained(arguments.folder / "scheduler")
    loaded = time.perf_counter()
    image = torch.rand(1, 3, side, side, generator=generator) * 2 - 1
    mask = torch.zeros(1, 1, side, side)
    mask[:, :, side // 4 : side // 2, side // 4 : side // 2] = 1
    noise = torch.randn(particles, channels, side // downscale, side // downscale, generator=generator)
    scheduler.set_timesteps(arguments.steps)
    network = prepare(image, mask, particles)
    x, steps = noise * scheduler.init_noise_sigma, []
    for timestep in scheduler.timesteps:
        begun = time.perf_counter()
        output = network(x, timestep)
        x0 = steer(scheduler.step(output, timestep, x).pred_original_sample)
        alpha = scheduler.alphas_cumprod[timestep]
        x = scheduler.step((x - alpha.sqrt() * x0) / (1 - alpha).sqrt(), timestep, x).prev_sample
        steps.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    picture = decode(x[:1])
    times = dict(load=loaded - start, step=min(steps), decode=time.perf_counter() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    tensors = dict(image=image, mask=mask, noise=noise, latents=x.contiguous(), picture=picture.contiguous())
    description = dict(
        times=times, peak=peak, steps=arguments.steps, bandwidth=BANDWIDTH, strength=STRENGTH, guidance=GUIDANCE,
        prompt=PROMPT, negative=NEGATIVE,
    )  # fmt: skip
    save_file(tensors, arguments.output, {"description": json.dumps(description)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("save", "run"))
    parser.add_argument("model", choices=("ldm-sr", "sd-inpaint"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path, nargs="?")
    parser.add_argument("--particles", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    with torch.no_grad():
        save(arguments.model, arguments.folder) if arguments.action == "save" else run(arguments)


if __name__ == "__main__":
    main()
