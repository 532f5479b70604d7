"""Golden data of SeeSR: its own pipeline, with small random models and given noise.

    python tools/golden/seesr_pipelines.py tests/golden/seesr.safetensors SEESR

SEESR is a checkout: see `authors.py`. Weights are not stored: both sides make them from a counter by the same integer hash
(`weights.py`). See README.md beside this file for the contents of the result.
"""

import importlib
import json
import sys
import tempfile
from pathlib import Path
from unittest import mock

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.schedulers import scheduling_ddpm
from safetensors.torch import save_file
from torch.nn import functional
from torchvision import transforms
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

import authors
import restoration
from pipelines import component, vocabulary
from weights import describe, fill

STEPS, LENGTH, TEXT, RANK = 5, 33, 24, 2


def enlarged(image, height, width):
    """As Pillow enlarges: columns, then rows, nothing beyond 0..1."""
    for size in ((image.shape[2], width), (height, width)):
        image = functional.interpolate(image, size=size, mode="bicubic", antialias=True).clamp(0, 1)
    return image


class Update(torch.nn.Module):
    """Low-rank updates of these weights, as loralib makes them with alpha 1: the ones of DAPE."""

    def __init__(self, weights):
        super().__init__()
        self.weights, self.names = weights, {}
        for name, weight in weights.items():
            groups, rows = (2, weight.shape[0] // 3 * 2) if name.endswith("qkv.weight") else (1, weight.shape[0])
            layer = name.removesuffix(".weight")
            for half, shape in (("lora_A", (RANK * groups, weight.shape[1])), ("lora_B", (rows, RANK))):
                self.names[f"{layer}.{half}"] = key = f"{layer}.{half}".replace(".", "/")
                self.register_parameter(key, torch.nn.Parameter(torch.zeros(shape), requires_grad=False))

    def described(self):
        """As `describe`, under loralib's names."""
        ours = {key: name for name, key in self.names.items()}
        return [[ours[name], *rest] for name, *rest in describe(self)]

    def merge(self):
        """What loralib adds to its layers when they are not trained: queries and values of three projections in one."""
        for name, weight in self.weights.items():
            layer = name.removesuffix(".weight")
            down, up = (getattr(self, self.names[f"{layer}.{half}"]) for half in ("lora_A", "lora_B"))
            groups = down.shape[0] // RANK
            parts = [b @ a / RANK for a, b in zip(down.chunk(groups), up.chunk(groups))]
            weight += torch.cat([parts[0], torch.zeros_like(parts[0]), parts[1]]) if groups == 2 else parts[0]


def recogniser():
    image = dict(img_size=32, patch_size=4, embed_dim=8, depths=[2, 3, 2], num_heads=[1, 2, 4], window_size=4)
    bert = dict(num_hidden_layers=2, num_attention_heads=2, intermediate_size=40, vocab_size=11, max_position_embeddings=8)
    model = restoration.ram()(29, 512, 16, image, bert).eval()
    fill(model)
    config = dict(
        image=dict(image_size=32, patch_size=4, channels=8, depths=[2, 3, 2], heads=[1, 2, 4], window=4),
        tags=29, width=512, hidden=16, intermediate=40, heads=2, layers=2,
    )  # fmt: skip
    ends = ("attn.qkv.weight", "crossattention.self.query.weight", "crossattention.self.key.weight")
    described = describe(model) + restoration.left_out(model)
    update = Update({name: tensor for name, tensor in model.state_dict().items()
                     if name.endswith(ends) and not name.startswith("tag_encoder.")})  # fmt: skip
    fill(update)
    with torch.no_grad():
        update.merge()
    model.tag_list = model.tag_list_chinese = restoration.numpy.array([f"the kitten {index}" for index in range(29)])
    return model, dict(config=config, weights=described), dict(config={}, weights=update.described())


def turbo(modules, unet):
    """The authors' U-Net of SD-Turbo with the image attentions of SeeSR's: again `unet`, whose other weights are in the one
    file and whose attentions are in the other."""
    with tempfile.TemporaryDirectory() as folder:
        for name, keep in (("base", lambda name: "image_attentions" not in name), ("seesr", lambda name: True)):
            path = Path(folder, name, "unet")
            path.mkdir(parents=True)
            values = {key: tensor if name == "base" or "image_attentions" in key else torch.zeros_like(tensor)
                      for key, tensor in unet.state_dict().items() if keep(key)}  # fmt: skip
            save_file(values, path / "diffusion_pytorch_model.safetensors")
            config = {key: value for key, value in unet.config.items() if not key.startswith("_")}
            (path / "config.json").write_text(json.dumps(config | dict(use_image_cross_attention=False)))
        merged = modules.unet.UNet2DConditionModel.from_pretrained_orig(
            f"{folder}/base", f"{folder}/seesr", subfolder="unet", use_image_cross_attention=True
        )
    assert all(torch.equal(tensor, unet.state_dict()[name]) for name, tensor in merged.state_dict().items())
    return merged.eval()


def main():
    folder = sys.argv[2]
    restoration.packages("", folder)
    modules = authors.seesr(folder)
    colours = importlib.import_module("seesr_utils.wavelet_color_fix")
    torch.manual_seed(0)
    vocab, merges = vocabulary()
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, pad_token="!", model_max_length=LENGTH)
    text_encoder = CLIPTextModel(CLIPTextConfig(
        vocab_size=len(vocab), hidden_size=TEXT, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=LENGTH, hidden_act="gelu", bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    ))  # fmt: skip
    shape = dict(
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, attention_head_dim=(2, 4),
        cross_attention_dim=TEXT, use_linear_projection=True, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        use_image_cross_attention=True,
    )  # fmt: skip
    unet = modules.unet.UNet2DConditionModel(up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), **shape)
    controlnet = modules.controlnet.ControlNetModel(conditioning_embedding_out_channels=(4, 8, 8, 12), **shape)
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16), layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=64,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    components = dict(
        unet=component(unet), controlnet=component(controlnet), vae=component(vae), text_encoder=component(text_encoder)
    )
    ram, components["ram"], components["dape"] = recogniser()

    lq = restoration.picture(1, 3, 16, 24)
    picture = enlarged(lq, 64, 96)
    prepare = transforms.Compose([
        transforms.Resize((32, 32), antialias=False),
        transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ])  # fmt: skip
    with torch.no_grad():
        embeddings = ram.condition_forward(prepare(lq))
        scores = ram.condition_forward(prepare(lq), only_feature=False)[1].sigmoid().sort(descending=True).values.flatten()
        ram.class_threshold = torch.full((29,), float(scores[1:3].mean()))
        tags = ram.generate_tag(prepare(lq))[0][0]
    assert len(tags.split(", ")) == 2 and scores[1] - scores[2] > 1e-4, (tags, scores)
    added, negative = "a photo of the kitchen", "blurry kitten"
    prompt = f"{tags}, ," + added
    stored, cases = dict(lq=lq), []
    for name, spacing, start, guidance, strength, fix, prediction in (
        ("lr_adain", "trailing", "lr", 5.5, 1.0, "adain", "v_prediction"),
        ("noise_wavelet", "leading", "noise", 1.0, 0.7, "wavelet", "epsilon"),
        ("turbo", "trailing", "lr", 1.0, 1.0, "adain", "epsilon"),
    ):
        is_turbo = name == "turbo"
        steps = 2 if is_turbo else STEPS
        more = {} if is_turbo else dict(set_alpha_to_one=False)
        scheduler = (DDPMScheduler if is_turbo else DDIMScheduler)(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
            steps_offset=1, timestep_spacing=spacing, prediction_type=prediction, **more,
        )  # fmt: skip
        network = turbo(modules, unet) if is_turbo else unet
        pipeline = modules.pipeline.StableDiffusionControlNetPipeline(
            vae, text_encoder, tokenizer, network, controlnet, scheduler, None, None, requires_safety_checker=False
        )
        pipeline.set_progress_bar_config(disable=True)
        # For each step of DDPM one more; of its last, nothing is seen.
        noise = torch.randn(3 if is_turbo else 1, 1, 4, 8, 12)
        decoded, decode = [], vae.decode

        def observe(latents, decode=decode, decoded=decoded, **options):
            output = decode(latents, **options)
            decoded.extend([latents, output[0]])
            return output

        with (
            mock.patch.object(modules.pipeline, "randn_tensor", lambda *_, noise=noise, **__: noise[0]),
            mock.patch.object(scheduling_ddpm, "randn_tensor", lambda *_, draws=iter(noise[1:]), **__: next(draws)),
            # The mean of the posterior in place of a sample.
            mock.patch.object(DiagonalGaussianDistribution, "sample", lambda self, *_, **__: self.mode()),
            mock.patch.object(vae, "decode", observe),
        ):
            pipeline(
                prompt, picture, num_inference_steps=steps, height=64, width=96, guidance_scale=guidance,
                negative_prompt=negative, conditioning_scale=strength, start_point=start,
                ram_encoder_hidden_states=embeddings, output_type="np",
            )  # fmt: skip
        sample = decoded[1] / 2 + 0.5
        correct = colours.adaptive_instance_normalization if fix == "adain" else colours.wavelet_reconstruction
        tensors = dict(
            noise=noise, latents=decoded[0] * vae.config.scaling_factor, y=correct(sample, picture) * 2 - 1
        )
        for key, value in tensors.items():
            assert torch.isfinite(value).all() and value.std() > 1e-2, (name, key)
        print(name, {key: (value.std().item(), value.abs().max().item()) for key, value in tensors.items()})
        stored |= {f"{name}/{key}": value.contiguous().clone() for key, value in tensors.items()}
        config = {key: value for key, value in scheduler.config.items() if not key.startswith("_")}
        cases.append(dict(name=name, scheduler=config, spacing=spacing, start=start, guidance=guidance, strength=strength,
                          colours=fix, steps=steps, turbo=is_turbo, prompt=added, negative=negative))  # fmt: skip
    files = dict(vocab=vocab, merges=merges, padding="!", length=LENGTH)
    thresholds = [float(threshold) for threshold in ram.class_threshold]
    description = dict(
        components=components, files=files, cases=cases, tags=list(ram.tag_list), thresholds=thresholds, found=tags
    )
    save_file(stored, sys.argv[1], {"cases": json.dumps([description], separators=(",", ":"))})
    print(f"{len(cases)} cases in {sys.argv[1]}")


if __name__ == "__main__":
    main()
