"""Golden data of the authors' own modules, whose weights have the names of original checkpoints.

    git clone https://github.com/XPixelGroup/DiffBIR && git -C DiffBIR checkout 3f8b530
    PYTHONPATH=DiffBIR python tools/golden/original.py tests/golden/original.safetensors

Weights are not stored: both sides make them from a counter (`weights.py`). The metadata entry `cases` is JSON: kind, the
configuration that diffusers or transformers would give the same network, and the weights by their original names.
"""

import json
import sys

import torch
from diffbir.model.clip import FrozenOpenCLIPEmbedder
from diffbir.model.controlnet import ControlledUnetModel, ControlNet
from diffbir.model.vae import AutoencoderKL
from safetensors.torch import save_file

from weights import describe, fill

CONTEXT = 12


def unets():
    # As Stable Diffusion 2: linear projections, heads of a given width; and as 1: convolutions, a number of heads. The
    # second has other levels with attention.
    for name, linear, heads, levels in (("sd2", True, dict(num_head_channels=16), [1, 2]), ("sd1", False, dict(num_heads=2), [2])):
        channels, multiples, layers = 32, (1, 2, 2), 2 if linear else 1
        common = dict(
            image_size=8, in_channels=4, model_channels=channels, attention_resolutions=levels, num_res_blocks=layers,
            channel_mult=multiples, use_spatial_transformer=True, use_linear_in_transformer=linear, transformer_depth=1,
            context_dim=CONTEXT, legacy=False, **heads,
        )  # fmt: skip
        sides = [channels * multiple for multiple in multiples]
        config = dict(
            in_channels=4, out_channels=4, block_out_channels=sides, layers_per_block=layers,
            down_block_types=["CrossAttnDownBlock2D" if 2**level in levels else "DownBlock2D" for level in range(3)],
            up_block_types=["CrossAttnUpBlock2D" if 2**level in levels else "UpBlock2D" for level in (2, 1, 0)],
            cross_attention_dim=CONTEXT, use_linear_projection=linear,
            attention_head_dim=[side // 16 for side in sides] if linear else 2,
        )  # fmt: skip
        yield name, common, config


def cases():
    def noise(*shape):
        return torch.randn(shape)

    timestep = torch.tensor([437])
    for name, common, config in unets():
        inputs = {"x": noise(1, 4, 8, 8), "context": noise(1, 5, CONTEXT), "hint": noise(1, 4, 8, 8)}
        unet = ControlledUnetModel(out_channels=4, **common)
        yield f"unet_{name}", "unet", config, unet, inputs, lambda m, x, context, hint: {"y": m(x, timestep, context)}
        control = ControlNet(hint_channels=4, **common)
        yield f"control_{name}", "control", config, control, inputs, lambda m, x, context, hint: {
            f"y_{index}": residual for index, residual in enumerate(m(x, hint, timestep, context))
        }
    vae = AutoencoderKL(
        dict(double_z=True, z_channels=4, resolution=32, in_channels=3, out_ch=3, ch=32, ch_mult=[1, 2, 2],
             num_res_blocks=2, attn_resolutions=[], dropout=0.0), 4,
    )  # fmt: skip
    config = dict(
        in_channels=3, out_channels=3, latent_channels=4, block_out_channels=[32, 64, 64], layers_per_block=2,
        down_block_types=["DownEncoderBlock2D"] * 3, up_block_types=["UpDecoderBlock2D"] * 3,
    )
    yield "vae", "vae", config, vae, {"x": noise(1, 3, 16, 8), "latents": noise(1, 4, 4, 2)}, lambda m, x, latents: {
        "mean": m.encode(x).mode(), "y": m.decode(latents),
    }  # fmt: skip
    width, heads, layers, vocabulary, length = 24, 2, 3, 50, 9
    clip = FrozenOpenCLIPEmbedder(
        16, dict(image_size=32, layers=1, width=16, head_width=8, patch_size=16),
        dict(context_length=length, vocab_size=vocabulary, width=width, heads=heads, layers=layers), layer="penultimate",
    )  # fmt: skip
    config = dict(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers - 1,
        num_attention_heads=heads, max_position_embeddings=length, hidden_act="gelu",
    )  # fmt: skip
    tokens = torch.randint(0, vocabulary, (2, length))
    yield "clip", "clip", config, clip.model, {"tokens": tokens}, lambda m, tokens: {"y": clip(tokens)}


def main() -> None:
    torch.manual_seed(0)
    tensors, described = {}, []
    with torch.no_grad():
        for name, kind, config, module, inputs, run in cases():
            module.eval()
            fill(module)
            described.append(dict(name=name, kind=kind, config=config, weights=describe(module)))
            for key, tensor in (inputs | run(module, **inputs)).items():
                tensors[f"{name}/{key}"] = tensor.contiguous().clone()
    save_file(tensors, sys.argv[1], metadata={"cases": json.dumps(described)})


if __name__ == "__main__":
    main()
