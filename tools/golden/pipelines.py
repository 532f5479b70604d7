"""Golden data of whole pipelines of diffusers, with small random models and given noise.

    python tools/golden/pipelines.py tests/golden/pipelines.safetensors

Weights are not stored: both sides make them from a counter by the same integer hash (`weights.py`). See README.md beside
this file for the contents of the result.
"""

import functools
import json
import sys
from pathlib import Path
from unittest import mock

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    LDMSuperResolutionPipeline,
    StableDiffusionInpaintPipeline,
    UNet2DConditionModel,
    UNet2DModel,
    VQModel,
)
from diffusers.pipelines.latent_diffusion import pipeline_latent_diffusion_superresolution
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_inpaint
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from weights import describe, fill

STEPS = 5


def component(module):
    """What a folder of the component is made of."""
    module.eval()
    fill(module)
    config = module.config if isinstance(module.config, dict) else module.config.to_dict()
    config = {key: value for key, value in config.items() if not key.startswith("_")}
    return dict(config=config, weights=describe(module))


def vocabulary():
    """A small byte-pair encoding of CLIP's kind: every byte, inside a word and at its end, and some words."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]
    vocabulary, merges = letters + [letter + "</w>" for letter in letters], []
    for word in ("a", "photo", "photograph", "of", "the", "kitten", "kitchen", "blurry", "don", "'t"):
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            merge, parts = (parts[0], parts[1]), [parts[0] + parts[1], *parts[2:]]
            if merge not in merges:
                merges.append(merge)
                vocabulary.append(parts[0])
    vocabulary = dict.fromkeys([*vocabulary, "<|startoftext|>", "<|endoftext|>"])
    return {word: index for index, word in enumerate(vocabulary)}, merges


TEXTS = (
    "", "a photo of the kitten", "A  PHOTOGRAPH\tof a Kitten's kitchen, don't!", "12 kittens & 3.5 Äpfel — naïve 猫 🐈",
    "e\u0301cole", "a photo of " * 40, "the <|endoftext|> of a photo",
)  # fmt: skip


def tokenizers():
    """What CLIP's tokenizer makes of some texts, for each way in which models pad."""
    vocab, merges = vocabulary()
    for name, padding in (("end", "<|endoftext|>"), ("exclamation", "!")):
        tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, pad_token=padding, model_max_length=17)
        tokens = tokenizer(list(TEXTS), padding="max_length", truncation=True, max_length=17, return_tensors="pt")
        files = dict(vocab=vocab, merges=merges, padding=padding, texts=TEXTS, length=17)
        if name == "end":
            files["whole"] = json.loads(tokenizer.backend_tokenizer.to_str())
        yield f"tokenizer_{name}", "tokenizer", {}, dict(files=files), dict(y=tokens.input_ids)


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
    # libtorch's reader takes a plain dictionary only, not the ordered one with metadata that a state_dict is.
    folder = Path(sys.argv[1]).parent
    torch.save(dict(vqvae.state_dict()), folder / "ldm_sr_vqvae.bin")
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


def sd_inpaint():
    vocab, merges = vocabulary()
    for name, linear, heads, activation, padding, prediction, guidance, channels in (
        ("1", False, 4, "quick_gelu", "<|endoftext|>", "epsilon", 7.5, 16),
        ("2", True, (2, 4), "gelu", "!", "v_prediction", 3.0, 24),
        ("unguided", True, (2, 4), "gelu", "!", "epsilon", 1.0, 24),
    ):
        tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, pad_token=padding, model_max_length=17)
        text_encoder = CLIPTextModel(CLIPTextConfig(
            vocab_size=len(vocab), hidden_size=channels, intermediate_size=40, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=17, hidden_act=activation,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ))  # fmt: skip
        unet = UNet2DConditionModel(
            sample_size=8, in_channels=9, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
            norm_num_groups=4, attention_head_dim=heads, cross_attention_dim=channels, use_linear_projection=linear,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        )  # fmt: skip
        vae = AutoencoderKL(
            block_out_channels=(8, 8, 16, 16), layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=64,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        )  # fmt: skip
        components = dict(unet=component(unet), vae=component(vae), text_encoder=component(text_encoder))
        scheduler = DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
            set_alpha_to_one=False, timestep_spacing="leading", prediction_type=prediction,
        )  # fmt: skip
        pipeline = StableDiffusionInpaintPipeline(
            vae, text_encoder, tokenizer, unet, scheduler, safety_checker=None, feature_extractor=None,
            requires_safety_checker=False,
        )  # fmt: skip
        pipeline.set_progress_bar_config(disable=True)
        image, noise = torch.rand(1, 3, 48, 64), torch.randn(1 + STEPS, 1, 4, 6, 8)
        mask = torch.zeros(1, 1, 48, 64)
        mask[:, :, 16:32, 8:40] = 1
        decoded, decode = [], vae.decode

        def observe(latents, decode=decode, decoded=decoded, **options):
            output = decode(latents, **options)
            decoded.extend([latents, output[0]])
            return output

        prompt, negative = TEXTS[2], "blurry"
        module = pipeline_stable_diffusion_inpaint
        with (
            # The mean of the posterior in place of a sample.
            mock.patch.object(module, "retrieve_latents", lambda output, **_: output.latent_dist.mode()),
            mock.patch.object(vae, "decode", observe),
        ):
            pipeline(
                prompt=prompt, negative_prompt=negative, image=image, mask_image=mask, height=48, width=64,
                num_inference_steps=STEPS, guidance_scale=guidance, latents=noise[0], output_type="np",
            )  # fmt: skip
        config = {key: value for key, value in scheduler.config.items() if not key.startswith("_")}
        files = dict(vocab=vocab, merges=merges, padding=padding, length=17)
        more = dict(scheduler=config, spacing="leading", eta=0.0, files=files, prompt=prompt, negative=negative,
                    guidance=guidance)  # fmt: skip
        tensors = dict(image=image * 2 - 1, mask=mask, noise=noise, latents=decoded[0] * vae.config.scaling_factor,
                       y=decoded[1])  # fmt: skip
        yield f"sd_inpaint_{name}", "sd-inpaint", components, more, tensors


def main():
    stored, cases = {}, []
    for make in (ldm_sr, tokenizers, sd_inpaint):
        torch.manual_seed(0)
        for name, kind, components, more, tensors in make():
            assert all(torch.isfinite(tensor).all() for tensor in tensors.values()), name
            assert tensors["y"].double().std() > 1e-2, name
            stored |= {f"{name}/{key}": value.contiguous().clone() for key, value in tensors.items()}
            cases.append(dict(name=name, kind=kind, components=components, steps=STEPS, **more))
    save_file(stored, sys.argv[1], {"cases": json.dumps(cases, separators=(",", ":"))})
    print(f"{len(cases)} cases in {sys.argv[1]}")


if __name__ == "__main__":
    main()
