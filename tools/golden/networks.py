"""Golden data of the networks: blocks and whole models of diffusers and transformers on small configurations.

    python tools/golden/networks.py tests/golden/networks.safetensors

Weights are not stored: both sides make them from a counter by the same integer hash (`weights.py`). See README.md beside
this file for the contents of the result.
"""

import json
import sys

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel, UNet2DModel, VQModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_blocks import (
    UNetMidBlock2D,
    UNetMidBlock2DCrossAttn,
    get_down_block,
    get_up_block,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from weights import describe, fill

GROUPS, EMBEDDING, TEXT = 4, 16, 12


def noise(*shape):
    return torch.randn(shape)


def resnets():
    for name, inputs, outputs, shift, factor in (
        ("default", 8, 8, "default", 1.0),
        ("default_wider", 8, 12, "default", 1.5),
        ("scale_shift", 8, 8, "scale_shift", 1.0),
        ("scale_shift_wider", 12, 8, "scale_shift", 2.0),
        ("without_embedding", 8, 12, None, 1.0),
    ):
        embedding = EMBEDDING if shift else None
        block = ResnetBlock2D(
            in_channels=inputs, out_channels=outputs, temb_channels=embedding, groups=GROUPS, eps=1e-5,
            time_embedding_norm=shift or "default", output_scale_factor=factor,
        )  # fmt: skip
        tensors = {"x": noise(2, inputs, 6, 4)} | ({"embedding": noise(1, EMBEDDING)} if shift else {})
        arguments = dict(inputs=inputs, outputs=outputs, time_scale_shift=shift, output_scale_factor=factor)
        yield f"resnet_{name}", "resnet", arguments, block, tensors, lambda x, embedding=None, block=block: block(
            x, embedding
        )


def attentions():
    # Head widths of LDM-SR (32), Stable Diffusion 1 (40, 80, 160) and 2 (64), CLIP (64), and one head as wide as an
    # autoencoder's.
    for width, heads in ((32, 2), (40, 2), (64, 2), (80, 2), (160, 1), (512, 1)):
        channels = width * heads
        for context_channels in (None, TEXT):
            block = Attention(
                query_dim=channels, cross_attention_dim=context_channels, heads=heads, dim_head=width, bias=False
            )
            tensors = {"x": noise(2, 6, channels)}
            if context_channels:
                tensors["context"] = noise(2, 5, context_channels)
            arguments = dict(channels=channels, context_channels=context_channels or channels, heads=heads)
            name = f"attention_{width}_{'cross' if context_channels else 'self'}"
            yield name, "attention", arguments, block, tensors, lambda x, context=None, block=block: block(x, context)
        image = Attention(
            channels, heads=heads, dim_head=width, norm_num_groups=GROUPS, eps=1e-6, bias=True, residual_connection=True,
            rescale_output_factor=1.5, upcast_softmax=True,
        )  # fmt: skip
        arguments = dict(channels=channels, head_dim=width, output_scale_factor=1.5)
        tensors = {"x": noise(2, channels, 3, 2)}
        yield f"attention_{width}_image", "image_attention", arguments, image, tensors, lambda x, image=image: image(x)


def transformers():
    block = BasicTransformerBlock(24, 3, 8, cross_attention_dim=TEXT)
    tensors = {"x": noise(2, 6, 24), "context": noise(2, 5, TEXT)}
    yield "transformer_block", "basic_transformer", dict(channels=24, heads=3), block, tensors, lambda x, context: block(
        x, encoder_hidden_states=context
    )
    for linear in (False, True):
        model = Transformer2DModel(
            3, 8, in_channels=24, num_layers=2, norm_num_groups=GROUPS, cross_attention_dim=TEXT,
            use_linear_projection=linear,
        )  # fmt: skip
        tensors = {"x": noise(2, 24, 3, 2), "context": noise(2, 5, TEXT)}
        arguments = dict(channels=24, heads=3, layers=2, linear=linear)
        name = f"transformer_{'linear' if linear else 'convolution'}"
        yield name, "transformer", arguments, model, tensors, lambda x, context, model=model: model(
            x, encoder_hidden_states=context
        ).sample


def blocks():
    common = dict(resnet_eps=1e-5, resnet_act_fn="silu", resnet_groups=GROUPS, downsample_padding=1)
    for kind, shift in (
        ("DownBlock2D", "default"), ("DownBlock2D", "scale_shift"), ("AttnDownBlock2D", "default"),
        ("CrossAttnDownBlock2D", "default"), ("DownEncoderBlock2D", None),
    ):  # fmt: skip
        for last in (False, True):
            block = get_down_block(
                kind, num_layers=2, in_channels=8, out_channels=16, temb_channels=EMBEDDING, add_downsample=not last,
                attention_head_dim=4, num_attention_heads=4, cross_attention_dim=TEXT,
                resnet_time_scale_shift=shift or "default", downsample_type="conv",
                **common | ({"downsample_padding": 0} if shift is None else {}),
            )  # fmt: skip
            tensors = {"x": noise(2, 8, 6, 4)}
            if shift:
                tensors["embedding"] = noise(1, EMBEDDING)
            if "Cross" in kind:
                tensors["context"] = noise(2, 5, TEXT)

            def run(x, embedding=None, context=None, block=block):
                if embedding is None:
                    return block(x)
                states = block(x, embedding, **({} if context is None else {"encoder_hidden_states": context}))
                return states[0]

            arguments = dict(block=kind, shift=shift, last=last)
            yield f"{kind}_{shift}_{'last' if last else 'inner'}", "down", arguments, block, tensors, run

    for kind, shift in (
        ("UpBlock2D", "default"), ("UpBlock2D", "scale_shift"), ("AttnUpBlock2D", "default"),
        ("CrossAttnUpBlock2D", "default"), ("UpDecoderBlock2D", None),
    ):  # fmt: skip
        for last in (False, True):
            block = get_up_block(
                kind, num_layers=2, in_channels=8, out_channels=16, prev_output_channel=12, temb_channels=EMBEDDING,
                add_upsample=not last, attention_head_dim=4, num_attention_heads=4, cross_attention_dim=TEXT,
                resnet_time_scale_shift=shift or "default", upsample_type="conv", resnet_eps=1e-5,
                resnet_act_fn="silu", resnet_groups=GROUPS,
            ) if shift else get_up_block(
                kind, num_layers=2, in_channels=12, out_channels=16, prev_output_channel=None, temb_channels=None,
                add_upsample=not last, resnet_eps=1e-5, resnet_act_fn="silu", resnet_groups=GROUPS,
            )  # fmt: skip
            tensors = {"x": noise(2, 12, 3, 2)}
            if shift:
                # The last feature map is taken first.
                tensors |= {"embedding": noise(1, EMBEDDING), "skip_0": noise(2, 8, 3, 2), "skip_1": noise(2, 16, 3, 2)}
            if "Cross" in kind:
                tensors["context"] = noise(2, 5, TEXT)

            def run(x, embedding=None, skip_0=None, skip_1=None, context=None, block=block):
                if embedding is None:
                    return block(x)
                more = {} if context is None else {"encoder_hidden_states": context}
                return block(x, (skip_0, skip_1), embedding, **more)

            arguments = dict(block=kind, shift=shift, last=last)
            yield f"{kind}_{shift}_{'last' if last else 'inner'}", "up", arguments, block, tensors, run

    mid = dict(in_channels=16, resnet_eps=1e-5, resnet_groups=GROUPS, output_scale_factor=1.5)
    for name, shift, block in (
        ("none", "default", UNetMidBlock2D(temb_channels=EMBEDDING, add_attention=False, **mid)),
        ("attention", "default", UNetMidBlock2D(temb_channels=EMBEDDING, attention_head_dim=4, **mid)),
        # With scale and shift the reference leaves out the attention's normalisation.
        ("attention", "scale_shift", UNetMidBlock2D(
            temb_channels=EMBEDDING, attention_head_dim=4, resnet_time_scale_shift="scale_shift", **mid)),
        ("cross", "default", UNetMidBlock2DCrossAttn(
            temb_channels=EMBEDDING, num_attention_heads=4, cross_attention_dim=TEXT, use_linear_projection=True, **mid)),
    ):  # fmt: skip
        tensors = {"x": noise(2, 16, 3, 2), "embedding": noise(1, EMBEDDING)}
        if name == "cross":
            tensors["context"] = noise(2, 5, TEXT)

        def run(x, embedding, context=None, block=block):
            return block(x, embedding, **({} if context is None else {"encoder_hidden_states": context}))

        yield f"mid_{name}_{shift}", "mid", dict(mixing=name, shift=shift), block, tensors, run


def configuration(model):
    return {key: value for key, value in model.config.items() if not key.startswith("_")}


def unets():
    down, up = ("DownBlock2D", "AttnDownBlock2D"), ("AttnUpBlock2D", "UpBlock2D")
    for name, more in (
        # As LDM-SR.
        ("ldm_sr", dict(in_channels=6, attention_head_dim=8, block_out_channels=(8, 16, 16, 24), layers_per_block=2,
                        down_block_types=down[:1] + down[1:] * 3, up_block_types=up[:1] * 3 + up[1:])),
        ("shift_attention", dict(in_channels=4, attention_head_dim=4, resnet_time_scale_shift="scale_shift",
                                 block_out_channels=(8, 16), layers_per_block=1, down_block_types=down,
                                 up_block_types=up)),
        ("mid_groups", dict(in_channels=4, attention_head_dim=4, attn_norm_num_groups=8, block_out_channels=(8, 16),
                            layers_per_block=1, down_block_types=down, up_block_types=up)),
    ):  # fmt: skip
        model = UNet2DModel(out_channels=3, norm_num_groups=GROUPS, **more)
        tensors = {"x": noise(2, more["in_channels"], 16, 8)}
        yield f"unet2d_{name}", "unet2d", configuration(model), model, tensors, lambda x, model=model: model(x, 437).sample

    cross = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",), ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
    for name, more in (
        # As Stable Diffusion 1 and 2: heads of equal number, then of equal width.
        ("sd1", dict(attention_head_dim=4, block_out_channels=(8, 16, 24, 24), layers_per_block=2,
                     down_block_types=cross[0], up_block_types=cross[1])),
        ("sd2", dict(attention_head_dim=(2, 4, 6, 6), block_out_channels=(8, 16, 24, 24), layers_per_block=2,
                     use_linear_projection=True, upcast_attention=True,
                     down_block_types=cross[0], up_block_types=cross[1])),
        ("variants", dict(attention_head_dim=(2, 4), block_out_channels=(8, 16), layers_per_block=(1, 2),
                          transformer_layers_per_block=(1, 2), mid_block_scale_factor=1.5, flip_sin_to_cos=False,
                          freq_shift=1, center_input_sample=True, resnet_time_scale_shift="scale_shift",
                          down_block_types=cross[0][2:], up_block_types=cross[1][:2])),
    ):  # fmt: skip
        model = UNet2DConditionModel(
            in_channels=9, out_channels=4, norm_num_groups=GROUPS, cross_attention_dim=TEXT, **more
        )
        tensors = {"x": noise(2, 9, 16, 8), "context": noise(2, 7, TEXT)}
        yield f"unet2d_condition_{name}", "unet2d_condition", configuration(model), model, tensors, (
            lambda x, context, model=model: model(x, 437, context).sample
        )


def autoencoders():
    shape = dict(block_out_channels=(8, 8, 16), layers_per_block=2, norm_num_groups=GROUPS,
                 down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3)  # fmt: skip
    for attention in (True, False):
        model = VQModel(latent_channels=3, num_vq_embeddings=37, mid_block_add_attention=attention, **shape)
        yield f"vq_{attention}_encode", "vq_encode", configuration(model), model, {"x": noise(1, 3, 16, 24)}, (
            lambda x, model=model: model.encode(x).latents
        )
        yield f"vq_{attention}_decode", "vq_decode", configuration(model), model, {"x": noise(1, 3, 4, 6)}, (
            lambda x, model=model: model.decode(x).sample
        )
        model = AutoencoderKL(
            latent_channels=4, use_quant_conv=attention, use_post_quant_conv=attention,
            mid_block_add_attention=attention, **shape,
        )  # fmt: skip
        tensors = {"x": noise(1, 3, 16, 24)}
        yield f"kl_{attention}_mean", "kl_mean", configuration(model), model, tensors, (
            lambda x, model=model: model.encode(x).latent_dist.mode()
        )
        yield f"kl_{attention}_sample", "kl_sample", configuration(model), model, tensors | {"noise": noise(1, 4, 4, 6)}, (
            lambda x, noise, model=model: (lambda d: d.mean + d.std * noise)(model.encode(x).latent_dist)
        )
        yield f"kl_{attention}_decode", "kl_decode", configuration(model), model, {"x": noise(1, 4, 4, 6)}, (
            lambda x, model=model: model.decode(x).sample
        )


def text_encoders():
    for activation in ("quick_gelu", "gelu"):
        config = CLIPTextConfig(
            vocab_size=99, hidden_size=16, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4,
            max_position_embeddings=21, hidden_act=activation, eos_token_id=98, bos_token_id=97, pad_token_id=0,
        )  # fmt: skip
        model = CLIPTextModel(config)
        tokens = torch.randint(0, 97, (2, 21))
        yield f"clip_{activation}", "clip", config.to_dict(), model, {"tokens": tokens}, (
            lambda tokens, model=model: model(tokens).last_hidden_state
        )


def main():
    stored, cases = {}, []
    for make in (resnets, attentions, transformers, blocks, unets, autoencoders, text_encoders):
        torch.manual_seed(0)
        for name, kind, config, module, tensors, run in make():
            module.eval()
            fill(module)
            with torch.no_grad():
                output = run(**tensors)
            assert torch.isfinite(output).all() and output.std() > 1e-2, name
            stored |= {f"{name}/{key}": value.contiguous().clone() for key, value in (tensors | {"y": output}).items()}
            cases.append(dict(name=name, kind=kind, config=config, weights=describe(module)))
    save_file(stored, sys.argv[1], {"cases": json.dumps(cases, separators=(",", ":"))})
    print(f"{len(cases)} cases in {sys.argv[1]}")


if __name__ == "__main__":
    main()
