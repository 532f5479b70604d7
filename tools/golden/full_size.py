"""Names and shapes of the tensors in full-size checkpoints, from the authors' modules without numbers.

    python -m pip install loralib==0.1.2
    python tools/golden/full_size.py DIFFBIR SEESR tests/golden/full_size.json

DIFFBIR and SEESR are checkouts of XPixelGroup/DiffBIR (3f8b530) and cswry/SeeSR (8edecc7).

For each network the prefix of its names in the checkpoint, its configuration as diffusers or transformers would
have it, and the tensors.
"""

import json
import sys

import torch
from omegaconf import OmegaConf

from restoration import packages, ram

# The configurations of stabilityai/stable-diffusion-2-1-base in diffusers' layout.
UNET = dict(
    in_channels=4, out_channels=4, block_out_channels=[320, 640, 1280, 1280], layers_per_block=2, cross_attention_dim=1024,
    down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3, use_linear_projection=True,
    attention_head_dim=[5, 10, 20, 20],
)  # fmt: skip
VAE = dict(
    in_channels=3, out_channels=3, latent_channels=4, block_out_channels=[128, 256, 512, 512], layers_per_block=2,
    down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
)  # fmt: skip
CLIP = dict(
    vocab_size=49408, hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16,
    max_position_embeddings=77, hidden_act="gelu",
)  # fmt: skip
CONTROL = UNET | dict(conditioning_channels=4, conditioning_embedding_out_channels=[])


# RAM's Swin-L and its BERT.
IMAGE = dict(
    img_size=384, patch_size=4, embed_dim=192, depths=[2, 2, 18, 2], num_heads=[6, 12, 24, 48], window_size=12,
    patch_norm=True,
)  # fmt: skip
BERT = dict(
    num_hidden_layers=2, num_attention_heads=4, intermediate_size=3072, vocab_size=30524, max_position_embeddings=512
)


def stage_1(folder: str) -> list:
    from diffbir.model.bsrnet import RRDBNet
    from diffbir.model.scunet import SCUNet
    from diffbir.model.swinir import SwinIR

    return [
        (kind, "", {}, network(**OmegaConf.to_container(OmegaConf.load(f"{folder}/configs/inference/{kind}.yaml"))["params"]))
        for kind, network in (("bsrnet", RRDBNet), ("swinir", SwinIR), ("scunet", SCUNet))
    ]


def recogniser() -> list:
    """RAM and, in a file of its own, DAPE."""
    state = ram()(4585, 512, 768, IMAGE, BERT).state_dict()
    return [
        ("ram", {name: tensor for name, tensor in state.items() if "lora_" not in name}),
        ("dape", {name: tensor for name, tensor in state.items() if "lora_" in name}),
    ]


def main() -> None:
    import loralib

    packages(sys.argv[1], sys.argv[2])
    sys.modules["loralib"] = loralib
    from diffbir.model.clip import FrozenOpenCLIPEmbedder
    from diffbir.model.controlnet import ControlledUnetModel, ControlNet
    from diffbir.model.vae import AutoencoderKL

    authors = OmegaConf.to_container(OmegaConf.load(f"{sys.argv[1]}/configs/inference/cldm.yaml"))["params"]
    with torch.device("meta"):
        networks = (
            ("unet", "model.diffusion_model.", UNET, ControlledUnetModel(**authors["unet_cfg"])),
            ("vae", "first_stage_model.", VAE, AutoencoderKL(**authors["vae_cfg"])),
            ("clip", "cond_stage_model.", CLIP, FrozenOpenCLIPEmbedder(**authors["clip_cfg"])),
            ("control", "", CONTROL, ControlNet(**authors["controlnet_cfg"])),
        )
    listed = [
        dict(
            kind=kind, prefix="cond_stage_model.model." if kind == "clip" else prefix, config=config,
            tensors={prefix + name: list(tensor.shape) for name, tensor in module.state_dict().items()},
        )
        for kind, prefix, config, module in (*networks, *stage_1(sys.argv[1]))
    ]  # fmt: skip
    listed += [
        dict(kind=kind, prefix="", config={}, tensors={name: list(tensor.shape) for name, tensor in state.items()})
        for kind, state in recogniser()
    ]
    with open(sys.argv[3], "w") as file:
        json.dump(listed, file, separators=(",", ":"))


if __name__ == "__main__":
    main()
