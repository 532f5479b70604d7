"""Golden data of control branches and of the U-Nets that they control, from the authors' own modules.

    python tools/golden/control.py tests/golden/control.safetensors DIFFBIR SEESR

DIFFBIR and SEESR are checkouts: see `authors.py`. Weights are not stored: both sides make them from a counter by the same
integer hash (`weights.py`). See README.md beside this file for the contents of the result.
"""

import json
import sys

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from safetensors.torch import save_file

import authors
from weights import describe, fill

GROUPS, TEXT, IMAGE, TIMESTEP = 32, 12, 512, 437


def noise(*shape):
    return torch.randn(shape)


def configuration(model):
    return {key: value for key, value in model.config.items() if not key.startswith("_")}


def renamed(described, rename):
    """The same weights under other names: their order stays, which is what their values come from."""
    return [[rename[name], *rest] for name, *rest in described]


def ldm_names(state, layers):
    """The name in diffusers of every tensor of a U-Net or control branch of latent diffusion."""
    prefix = "model.diffusion_model."
    names = {id(tensor): name for name, tensor in state.items()}
    network = {prefix + name: tensor for name, tensor in state.items() if "zero_convs" not in name and "block_out" not in name}
    converted = convert_ldm_unet_checkpoint(network, dict(layers_per_block=layers))
    found = {names[id(tensor)]: name for name, tensor in converted.items()}
    for name in state:
        kind, *rest = name.split(".")
        if kind == "zero_convs":
            found[name] = f"controlnet_down_blocks.{rest[0]}.{rest[-1]}"
        elif kind == "middle_block_out":
            found[name] = f"controlnet_mid_block.{rest[-1]}"
    assert found.keys() == state.keys(), state.keys() - found.keys()
    return found


def diffbir_shape(channels, layers, text):
    """DiffBIR's configuration of U-Net and control branch, smaller, in its words and in those of diffusers."""
    levels = len(channels)
    original = dict(
        image_size=32, model_channels=channels[0], attention_resolutions=[2**level for level in range(levels - 1)],
        num_res_blocks=layers, channel_mult=[channel // channels[0] for channel in channels], num_head_channels=8,
        use_spatial_transformer=True, use_linear_in_transformer=True, transformer_depth=1, context_dim=text,
        legacy=False, in_channels=4,
    )  # fmt: skip
    ours = dict(
        in_channels=4, block_out_channels=list(channels), layers_per_block=layers, norm_num_groups=GROUPS,
        cross_attention_dim=text, attention_head_dim=[channel // 8 for channel in channels], use_linear_projection=True,
        down_block_types=["CrossAttnDownBlock2D"] * (levels - 1) + ["DownBlock2D"],
    )  # fmt: skip
    unet = dict(ours, out_channels=4, up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * (levels - 1))
    branch = dict(ours, conditioning_channels=4, conditioning_embedding_out_channels=[])
    return original, unet, branch


def diffbir(modules):
    for name, channels, layers, strength in (("two_levels", (32, 64), 1, 1.0), ("four_levels", (32, 64, 64, 64), 2, 0.6)):
        original, unet_config, branch_config = diffbir_shape(channels, layers, TEXT)
        controlnet = modules.cldm.ControlNet(hint_channels=4, **original)
        unet = modules.cldm.ControlledUnetModel(out_channels=4, **original)
        components = dict(unet=(unet, unet_config), controlnet=(controlnet, branch_config))
        names = {key: ldm_names(module.state_dict(), layers) for key, (module, _) in components.items()}
        tensors = dict(x=noise(2, 4, 16, 8), hint=noise(1, 4, 16, 8), text=noise(2, 5, TEXT))

        def run(x, hint, text, controlnet=controlnet, unet=unet, strength=strength):
            steps = torch.full((2,), TIMESTEP)
            control = controlnet(x, hint.expand(2, -1, -1, -1), steps, text)
            control = [residual * strength for residual in control]
            middle = control[-1]
            return dict(y=unet(x, steps, text, control=control), middle=middle)

        yield f"diffbir_{name}", components, names, strength, tensors, run


SEESR = dict(
    block_out_channels=(8, 16), layers_per_block=2, norm_num_groups=4, attention_head_dim=(2, 4), cross_attention_dim=TEXT,
    use_linear_projection=True, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
)  # fmt: skip


def seesr(modules):
    for image in (True, False):
        unet = modules.unet.UNet2DConditionModel(
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), use_image_cross_attention=image, **SEESR
        )
        controlnet = modules.controlnet.ControlNetModel(
            conditioning_embedding_out_channels=(4, 8, 8, 12), use_image_cross_attention=image, **SEESR
        )
        components = dict(unet=(unet, configuration(unet)), controlnet=(controlnet, configuration(controlnet)))
        tensors = dict(x=noise(2, 4, 8, 6), hint=torch.rand(1, 3, 64, 48), text=noise(2, 5, TEXT))
        if image:
            tensors["image"] = noise(2, 7, IMAGE)

        def run(x, hint, text, image=None, controlnet=controlnet, unet=unet):
            down, middle = controlnet(
                x, TIMESTEP, text, hint.expand(2, -1, -1, -1), conditioning_scale=0.8, return_dict=False,
                image_encoder_hidden_states=image,
            )  # fmt: skip
            y = unet(
                x, TIMESTEP, text, down_block_additional_residuals=down, mid_block_additional_residual=middle,
                image_encoder_hidden_states=image,
            ).sample  # fmt: skip
            return dict(y=y, middle=middle)

        yield f"seesr_{'image' if image else 'text'}", components, {}, 0.8, tensors, run


def standard(_):
    unet = UNet2DConditionModel(up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), **SEESR)
    controlnet = ControlNetModel(
        conditioning_embedding_out_channels=(4, 8, 8, 12), controlnet_conditioning_channel_order="bgr", **SEESR
    )
    components = dict(unet=(unet, configuration(unet)), controlnet=(controlnet, configuration(controlnet)))
    tensors = dict(x=noise(2, 4, 8, 6), hint=torch.rand(1, 3, 64, 48), text=noise(2, 5, TEXT))

    def run(x, hint, text):
        down, middle = controlnet(x, TIMESTEP, text, hint.expand(2, -1, -1, -1), return_dict=False)
        y = unet(x, TIMESTEP, text, down_block_additional_residuals=down, mid_block_additional_residual=middle).sample
        return dict(y=y, middle=middle)

    yield "diffusers", components, {}, 1.0, tensors, run


def main():
    stored, cases = {}, []
    for make, modules in ((diffbir, authors.diffbir(sys.argv[2])), (seesr, authors.seesr(sys.argv[3])), (standard, None)):
        torch.manual_seed(0)
        for name, components, names, strength, tensors, run in make(modules):
            described = {}
            for key, (module, config) in components.items():
                module.eval()
                fill(module)
                weights = describe(module)
                if key in names:
                    weights = renamed(weights, names[key])
                described[key] = dict(config=config, weights=weights)
            with torch.no_grad():
                outputs = run(**tensors)
            for output in outputs.values():
                assert torch.isfinite(output).all() and output.std() > 1e-2, name
            stored |= {f"{name}/{key}": value.contiguous().clone() for key, value in (tensors | outputs).items()}
            cases.append(dict(name=name, components=described, strength=strength))
    save_file(stored, sys.argv[1], {"cases": json.dumps(cases, separators=(",", ":"))})
    print(f"{len(cases)} cases in {sys.argv[1]}")


if __name__ == "__main__":
    main()
