"""Golden data of the U-Net: diffusers' UNet2DModel with small random weights, one file per configuration.

    python tools/golden/unet2d.py tests/golden

Each file holds the weights under `unet.`, the input `x`, the `timestep`, the output `y` (all f32) and the configuration
as metadata.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import UNet2DModel
from safetensors.torch import save_file

COMMON = dict(sample_size=None, norm_num_groups=4)
CONFIGURATIONS = {
    # As kds-photo-x4: scale and shift, no attention.
    "unet2d_plain": dict(
        in_channels=5, out_channels=4, block_out_channels=(8, 12, 16), layers_per_block=2, add_attention=False,
        down_block_types=("DownBlock2D",) * 3, up_block_types=("UpBlock2D",) * 3,
        resnet_time_scale_shift="scale_shift",
    ),
    # As LDM-SR: attention at the coarser levels and in the middle, embedding added.
    "unet2d_attention": dict(
        in_channels=6, out_channels=3, block_out_channels=(8, 16), layers_per_block=1, attention_head_dim=8,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        flip_sin_to_cos=False, freq_shift=1,
    ),
    # What is left: padding below and right only, one attention head, scaled sums, centred input.
    "unet2d_variants": dict(
        in_channels=3, out_channels=3, block_out_channels=(8, 16), layers_per_block=1, attention_head_dim=None,
        down_block_types=("AttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "AttnUpBlock2D"),
        downsample_padding=0, mid_block_scale_factor=1.5, center_input_sample=True, norm_eps=1e-6,
    ),
}  # fmt: skip


def main(folder: Path) -> None:
    for seed, (name, configuration) in enumerate(CONFIGURATIONS.items()):
        torch.manual_seed(seed)
        model = UNet2DModel(**COMMON, **configuration).eval()
        with torch.no_grad():
            for parameter in model.parameters():  # norms and biases start as constants, which would hide a mistake
                parameter.add_(0.1 * torch.randn_like(parameter))
            x = torch.randn(2, configuration["in_channels"], 12, 8)
            timestep = torch.tensor(437)
            y = model(x, timestep).sample.contiguous()
        tensors = {f"unet.{key}": value.contiguous() for key, value in model.state_dict().items()}
        tensors |= {"x": x, "y": y, "timestep": timestep.float().view(1)}
        config = {key: value for key, value in model.config.items() if not key.startswith("_")}
        save_file(tensors, folder / f"{name}.safetensors", {"config": json.dumps(config)})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
