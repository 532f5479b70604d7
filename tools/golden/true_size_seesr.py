"""SeeSR at its true size, for `authors_side_by_side.py`."""

import importlib
import json
import time
from unittest import mock

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from safetensors.torch import load_file, save_file
from torchvision import transforms
from transformers import CLIPTextConfig, CLIPTextModel

import authors
import restoration
from full_size import BERT, CLIP, IMAGE, UNET, VAE
from seesr_pipelines import enlarged
from true_size import NEGATIVE, PROMPT, SCALE, inputs, small, timed, tokenizer, without_zeros, write

GUIDANCE, TAGS = 5.5, 4585
RAM = "ram_swin_large_14m"
CONTROL = UNET | dict(conditioning_embedding_out_channels=[16, 32, 96, 256], use_image_cross_attention=True)
WEIGHTS = dict(
    unet="diffusion_pytorch_model", controlnet="diffusion_pytorch_model", vae="diffusion_pytorch_model", text_encoder="model"
)


def networks(folder: str):
    restoration.packages("", folder)
    modules = authors.seesr(folder)
    control = {name: value for name, value in CONTROL.items() if name not in ("out_channels", "up_block_types")}
    parts = dict(
        unet=modules.unet.UNet2DConditionModel(**UNET, use_image_cross_attention=True),
        controlnet=modules.controlnet.ControlNetModel(**control),
        vae=AutoencoderKL(**VAE),
        text_encoder=CLIPTextModel(CLIPTextConfig(**CLIP)),
    )
    ram = restoration.ram()(TAGS, 512, 768, IMAGE, BERT)
    ram.tag_list = ram.tag_list_chinese = restoration.numpy.array([f"the kitten {index}" for index in range(TAGS)])
    return modules, {name: part.eval() for name, part in parts.items()}, ram.eval()


def prepared(lq):
    """As RAM sees a photograph."""
    return transforms.Compose([
        transforms.Resize((384, 384), antialias=False),
        transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ])(lq)  # fmt: skip


def save(arguments) -> None:
    _, parts, ram = networks(arguments.authors)
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1, timestep_spacing="leading",
    )  # fmt: skip
    for name, part in parts.items():
        without_zeros(part)
        folder = arguments.folder / name
        folder.mkdir(exist_ok=True)
        save_file(small(part.state_dict()), folder / f"{WEIGHTS[name]}.safetensors")
        config = part.config.to_dict() if name == "text_encoder" else dict(part.config)
        config = {key: value for key, value in config.items() if not key.startswith("_")}
        (folder / "config.json").write_text(json.dumps(config))
    scheduler.save_pretrained(arguments.folder / "scheduler")
    without_zeros(ram)
    state = small({name: tensor for name, tensor in ram.state_dict().items() if "lora_" not in name})
    save_file(state, arguments.folder / f"{RAM}.safetensors")
    # Thresholds in the widest gap between the highest scores: the same tags are found on every machine.
    ram.load_state_dict(state, strict=False)
    lq, _ = inputs(arguments.side)
    scores = ram.condition_forward(prepared(lq), only_feature=False)[1].sigmoid().flatten()
    highest = scores.sort(descending=True).values[1:9]
    gap = (highest[:-1] - highest[1:]).argmax()
    threshold = float(highest[gap : gap + 2].mean())
    print(f"{gap + 2} tags, scores {highest.tolist()}")
    (arguments.folder / "ram_tag_list.txt").write_text("\n".join(ram.tag_list) + "\n")
    (arguments.folder / "ram_tag_list_threshold.txt").write_text(f"{threshold}\n" * TAGS)


def load(arguments):
    modules, parts, ram = networks(arguments.authors)
    for name, part in parts.items():
        part.load_state_dict(load_file(arguments.folder / name / f"{WEIGHTS[name]}.safetensors"))
        part.to(arguments.device)
    missing, unknown = ram.load_state_dict(load_file(arguments.folder / f"{RAM}.safetensors"), strict=False)
    assert not unknown and all("lora_" in name for name in missing), (missing, unknown)
    threshold = float((arguments.folder / "ram_tag_list_threshold.txt").read_text().splitlines()[0])
    ram.class_threshold = torch.full((TAGS,), threshold, device=arguments.device)
    # Without DAPE: its updates of the weights are zero.
    for name, tensor in ram.state_dict().items():
        if "lora_B" in name:
            tensor.zero_()
    return modules, parts, ram.to(arguments.device)


def run(arguments) -> None:
    start = time.perf_counter()
    modules, parts, ram = load(arguments)
    loaded = time.perf_counter()
    colours = importlib.import_module("seesr_utils.wavelet_color_fix")
    scheduler = DDIMScheduler.from_pretrained(arguments.folder / "scheduler")
    pipeline = modules.pipeline.StableDiffusionControlNetPipeline(
        **parts, tokenizer=tokenizer(), scheduler=scheduler, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    lq, noise = (tensor.to(arguments.device) for tensor in inputs(arguments.side))
    branches, evaluations, decodes, decoded, vae = [], [], [], [], parts["vae"]
    parts["controlnet"].forward = timed(parts["controlnet"].forward, branches)
    parts["unet"].forward = timed(parts["unet"].forward, evaluations)
    decode = vae.decode

    def observe(latents, **options):
        output = decode(latents, **options)
        decoded.extend([latents, output[0]])
        return output

    vae.decode = timed(observe, decodes)
    begun = time.perf_counter()
    seen = prepared(lq)
    tags, embeddings = ram.generate_tag(seen)[0][0], ram.condition_forward(seen)
    picture = enlarged(lq, arguments.side, arguments.side)
    with (
        mock.patch.object(modules.pipeline, "randn_tensor", lambda *_, **__: noise),
        # The mean of the posterior in place of a sample.
        mock.patch.object(DiagonalGaussianDistribution, "sample", lambda self, *_, **__: self.mode()),
    ):
        pipeline(
            f"{tags}, ,{PROMPT}", picture, num_inference_steps=arguments.steps, height=arguments.side, width=arguments.side,
            guidance_scale=GUIDANCE, negative_prompt=NEGATIVE, conditioning_scale=1.0, start_point="noise",
            ram_encoder_hidden_states=embeddings, output_type="np",
        )  # fmt: skip
    restored = colours.adaptive_instance_normalization(decoded[1] / 2 + 0.5, picture) * 2 - 1
    whole = time.perf_counter() - begun
    print(f"tags: {tags}")
    step = min(sum(pair) for pair in zip(branches, evaluations))
    times = dict(load=loaded - start, step=step, decode=decodes[0], whole=whole)
    latents = decoded[0] * vae.config.scaling_factor
    write(arguments, dict(image=lq * 2 - 1, noise=noise, latents=latents, picture=restored), times, GUIDANCE)
