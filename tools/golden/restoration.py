"""Golden data of the networks and colour corrections around diffusion in DiffBIR and SeeSR, from the authors' own modules.

    python tools/golden/restoration.py DIFFBIR SEESR tests/golden/restoration

DIFFBIR and SEESR are checkouts of XPixelGroup/DiffBIR (3f8b530) and cswry/SeeSR (8edecc7). As for `networks.py`, weights are
not stored. See README.md beside this file for the contents of the result.
"""

import functools
import importlib
import json
import sys
import types

import numpy
import torch
from omegaconf import OmegaConf
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional
from torchvision import transforms

from weights import describe, fill


def noise(*shape):
    return torch.randn(shape)


def picture(*shape):
    """A smooth picture in 0..1 with a little noise."""
    coarse = torch.rand(shape[0], shape[1], max(2, shape[2] // 16), max(2, shape[3] // 16))
    smooth = functional.interpolate(coarse, size=shape[2:], mode="bicubic", antialias=True)
    return (smooth + 0.05 * torch.randn(shape)).clamp(0, 1)


def packages(diffbir, seesr):
    """Makes modules of both checkouts importable: without what their packages import beside them, and, for RAM, with the
    helpers that transformers has dropped since."""
    for name, path in (
        ("diffbir", f"{diffbir}/diffbir"), ("diffbir.model", f"{diffbir}/diffbir/model"),
        ("diffbir.utils", f"{diffbir}/diffbir/utils"), ("ram", f"{seesr}/ram"), ("ram.models", f"{seesr}/ram/models"),
        ("seesr_utils", f"{seesr}/utils"),
    ):  # fmt: skip
        package = types.ModuleType(name)
        package.__path__ = [path]
        sys.modules[name] = package
    model, sampler = sys.modules["diffbir.model"], types.ModuleType("diffbir.sampler")
    for module, names in (
        (model, ("ControlLDM", "Diffusion", "RRDBNet")),
        (sampler, ("SpacedSampler", "DDIMSampler", "DPMSolverSampler", "EDMSampler")),
    ):
        for name in names:
            setattr(module, name, object)
    sys.modules["diffbir.sampler"] = sampler

    class PreTrainedModel(torch.nn.Module):
        """As little of it as RAM's BERT calls."""

        def __init__(self, config):
            super().__init__()
            self.config, self.dtype = config, torch.float32

        def init_weights(self):
            pass

        def get_head_mask(self, _, layers):
            return [None] * layers

        def invert_attention_mask(self, mask):
            return (1.0 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min

    utilities = types.ModuleType("transformers.modeling_utils")
    utilities.PreTrainedModel = PreTrainedModel
    utilities.apply_chunking_to_forward = lambda forward, size, axis, *tensors: forward(*tensors)
    utilities.find_pruneable_heads_and_indices = utilities.prune_linear_layer = None
    files = types.ModuleType("transformers.file_utils")
    files.ModelOutput = dict
    hub = types.ModuleType("timm.models.hub")
    hub.download_cached_file = None
    # The layers of a LoRA that has been merged into the weights.
    lora = types.ModuleType("loralib")
    lora.Linear = lora.MergedLinear = lambda inputs, outputs, **_: torch.nn.Linear(inputs, outputs)
    sys.modules |= {
        "transformers.modeling_utils": utilities, "transformers.file_utils": files, "timm.models.hub": hub, "loralib": lora,
    }  # fmt: skip


def restorers():
    from diffbir.model.bsrnet import RRDBNet
    from diffbir.model.scunet import SCUNet
    from diffbir.model.swinir import SwinIR

    for scale in (4, 2):
        model = RRDBNet(nf=8, nb=2, gc=4, sf=scale)
        config = dict(channels=8, blocks=2, growth=4, scale=scale)
        yield f"rrdb_x{scale}", "rrdb", config, model, {"x": picture(1, 3, 11, 14)}, model

    # Tokens of another shape than the one whose masks are in the file, twice, then of that.
    for name, batch, unshuffle, tokens in (("x8", 1, 8, (4, 12)), ("x4", 2, 4, (8, 4)), ("own", 1, 4, (8, 8))):
        model = SwinIR(
            img_size=8, embed_dim=12, depths=[2, 3], num_heads=[2, 3], window_size=4, mlp_ratio=2, sf=unshuffle,
            upsampler="nearest+conv", unshuffle=True, unshuffle_scale=unshuffle,
        )  # fmt: skip
        config = dict(channels=12, depths=[2, 3], heads=[2, 3], window=4, mlp_ratio=2, unshuffle=unshuffle)
        tensors = {"x": picture(batch, 3, *(unshuffle * side for side in tokens))}
        yield f"swinir_{name}", "swinir", config, model, tensors, model

    model = SCUNet(config=[2, 1, 1, 2, 1, 1, 2], dim=64)
    yield "scunet", "scunet", dict(channels=64, depths=model.config), model, {"x": picture(1, 3, 50, 72)}, lambda x: model(x)


def ram():
    from ram.models import ram_lora as authors
    from ram.models.bert_lora import BertConfig, BertModel
    from ram.models.swin_transformer_lora import SwinTransformer

    class Ram(authors.RAMLora):
        """The authors' computation on networks of any size."""

        def __init__(self, tags, width, hidden, image, bert):
            torch.nn.Module.__init__(self)
            self.num_class, self.delete_tag_index = tags, []
            self.visual_encoder = SwinTransformer(**image)
            config = BertConfig(**bert, hidden_size=hidden, add_cross_attention=True, layer_norm_eps=1e-12)
            config.encoder_width, config.chunk_size_feed_forward = width, 0
            self.tag_encoder = BertModel(config, add_pooling_layer=False)
            self.tagging_head = BertModel(config, add_pooling_layer=False)
            # In the place of what writes sentences, which is never run.
            self.text_decoder = torch.nn.Linear(3, 2)
            self.label_embed = torch.nn.Parameter(torch.zeros(tags, width))
            self.wordvec_proj = torch.nn.Linear(width, hidden)
            self.fc = torch.nn.Linear(hidden, 1)
            self.del_selfattention()
            self.image_proj = torch.nn.Linear(self.visual_encoder.num_features, width)
            self.class_threshold = torch.linspace(0.3, 0.7, tags)
            self.tag_list = self.tag_list_chinese = numpy.array([f"tag {index}" for index in range(tags)])

    return Ram


def recognisers():
    image = dict(img_size=32, patch_size=4, embed_dim=8, depths=[2, 3, 2], num_heads=[1, 2, 4], window_size=4)
    bert = dict(num_hidden_layers=2, num_attention_heads=2, intermediate_size=40, vocab_size=11, max_position_embeddings=8)
    model = ram()(29, 12, 16, image, bert)
    config = dict(
        image=dict(image_size=32, patch_size=4, channels=8, depths=[2, 3, 2], heads=[1, 2, 4], window=4),
        tags=29, width=12, hidden=16, intermediate=40, heads=2, layers=2,
    )  # fmt: skip
    tensors = {"x": noise(2, 3, 32, 32)}
    fill(model)
    yield "ram_embeddings", "ram_embeddings", config, model, tensors, lambda x: model.condition_forward(x)
    # As `test_seesr.py` does; torchvision 0.15, which belongs to the torch that the authors require, does not smooth tensors.
    resize = transforms.Resize((32, 32), antialias=False)
    prepare = transforms.Compose([resize, transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])])
    yield "ram_prepare", "ram_prepare", config, model, {"x": picture(1, 3, 45, 27)}, lambda x: prepare(x)
    with torch.no_grad():
        names = model.generate_tag(tensors["x"])[0]
    assert all(0 < len(tags.split(", ")) < 29 for tags in names), names
    thresholds = [float(threshold) for threshold in model.class_threshold]
    config = config | dict(names=list(model.tag_list), thresholds=thresholds, found=names)
    yield "ram_logits", "ram_logits", config, model, tensors, lambda x: model.condition_forward(x, only_feature=False)[1]


def text_encoders():
    """The text encoder of Stable Diffusion 2 from its last layer but one, which is transformers' with a layer fewer."""
    from diffbir.model.clip import FrozenOpenCLIPEmbedder
    from transformers import CLIPTextConfig, CLIPTextModel

    size, layers, words, length = 16, 3, 99, 21
    config = CLIPTextConfig(
        vocab_size=words, hidden_size=size, intermediate_size=4 * size, num_hidden_layers=layers, num_attention_heads=4,
        max_position_embeddings=length, hidden_act="gelu", eos_token_id=98, bos_token_id=97, pad_token_id=0,
    )  # fmt: skip
    theirs = CLIPTextModel(config)
    fill(theirs)
    state = {name.removeprefix("text_model."): tensor for name, tensor in theirs.state_dict().items()}
    vision = dict(image_size=28, layers=1, width=16, head_width=8, patch_size=14)
    text = dict(context_length=length, vocab_size=words, width=size, heads=4, layers=layers + 1)
    authors = FrozenOpenCLIPEmbedder(8, vision, text, layer="penultimate")
    model = authors.model
    with torch.no_grad():
        model.token_embedding.weight.copy_(state["embeddings.token_embedding.weight"])
        model.positional_embedding.copy_(state["embeddings.position_embedding.weight"])
        for index in range(layers):
            block, prefix = model.transformer.resblocks[index], f"encoder.layers.{index}"
            for kind in ("weight", "bias"):
                parts = [state[f"{prefix}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
                getattr(block.attn, f"in_proj_{kind}").copy_(torch.cat(parts))
                for ours, name in (
                    (block.attn.out_proj, "self_attn.out_proj"), (block.ln_1, "layer_norm1"), (block.ln_2, "layer_norm2"),
                    (block.mlp.c_fc, "mlp.fc1"), (block.mlp.c_proj, "mlp.fc2"),
                ):  # fmt: skip
                    getattr(ours, kind).copy_(state[f"{prefix}.{name}.{kind}"])
        for kind in ("weight", "bias"):
            getattr(model.ln_final, kind).copy_(state[f"final_layer_norm.{kind}"])
    tokens = torch.randint(0, 97, (2, length))
    yield "open_clip_penultimate", "clip", config.to_dict(), theirs, {"tokens": tokens}, authors


def enlarged(image, size):
    """As Pillow resizes a picture of 8 bits, columns first, but for the rounding; Pillow itself is the witness."""

    def resize(x, high):
        columns = functional.interpolate(x, size=(x.shape[2], size[1]), mode="bicubic", antialias=True).clamp(0, high)
        return functional.interpolate(columns, size=size, mode="bicubic", antialias=True).clamp(0, high)

    rounded = (image * 255).round()
    pillow = Image.fromarray(rounded[0].permute(1, 2, 0).byte().numpy()).resize((size[1], size[0]), Image.BICUBIC)
    difference = resize(rounded, 255)[0] - torch.from_numpy(numpy.array(pillow)).permute(2, 0, 1)
    assert difference.abs().max() < 1.5, difference.abs().max()
    return resize(image, 1)


# Of the pictures of stage 1, which are large, only every pixel whose row and column are multiples of this is stored.
EVERY = 11


def stages():
    """The first stage of DiffBIR as its pipelines call it."""
    from diffbir.model.bsrnet import RRDBNet
    from diffbir.model.scunet import SCUNet
    from diffbir.model.swinir import SwinIR
    from diffbir.pipeline import BSRNetPipeline, SCUNetPipeline, SwinIRPipeline

    bsrnet = RRDBNet(nf=8, nb=1, gc=4, sf=4), dict(channels=8, blocks=1, growth=4, scale=4)
    swinir = SwinIR(
        img_size=16, embed_dim=12, depths=[2], num_heads=[2], window_size=8, mlp_ratio=2, sf=8, upsampler="nearest+conv",
        unshuffle=True, unshuffle_scale=8,
    ), dict(channels=12, depths=[2], heads=[2], window=8, mlp_ratio=2, unshuffle=8)  # fmt: skip
    scunet = SCUNet(config=[1] * 7, dim=64), dict(channels=64, depths=[1] * 7)
    for name, (model, config), make, size, scale in (
        ("bsrnet_small", bsrnet, BSRNetPipeline, (20, 27), 2), ("bsrnet_large", bsrnet, BSRNetPipeline, (92, 101), 6),
        ("swinir", swinir, SwinIRPipeline, (31, 28), 2), ("scunet", scunet, SCUNetPipeline, (18, 21), 2),
    ):  # fmt: skip
        output = tuple(scale * side for side in size)

        def run(x, model=model, make=make, output=output, scale=scale):
            more = (scale,) if make is BSRNetPipeline else ()
            pipeline = make(model, None, None, None, "cpu", *more)
            large = x if more else enlarged(x, output)
            pipeline.set_output_size(x.shape)
            return pipeline.apply_cleaner(large, False, 0, 0)[..., ::EVERY, ::EVERY]

        config = dict(network=config, size=output, every=EVERY)
        yield f"stage1_{name}", f"stage1_{name.split('_')[0]}", config, model, {"x": picture(1, 3, *size)}, run


def colours():
    from diffbir.utils.common import wavelet_reconstruction
    from seesr_utils.wavelet_color_fix import adaptive_instance_normalization
    from seesr_utils.wavelet_color_fix import wavelet_reconstruction as wavelet

    tensors = {"x": picture(1, 3, 44, 51), "colours": 0.5 * picture(1, 3, 44, 51) + 0.2}
    nothing = torch.nn.Module()
    yield "wavelet_diffbir", "wavelet", {}, nothing, tensors, lambda x, colours: wavelet_reconstruction(x, colours)
    yield "wavelet_seesr", "wavelet", {}, nothing, tensors, lambda x, colours: wavelet(x, colours)
    yield "adain_seesr", "adain", {}, nothing, tensors, lambda x, colours: adaptive_instance_normalization(x, colours)


def full_size(diffbir):
    """The networks in their authors' sizes, without numbers."""
    # The constructors read numbers of it.
    torch.linspace = functools.partial(torch.linspace, device="cpu")
    for name in ("bsrnet", "swinir", "scunet"):
        config = OmegaConf.load(f"{diffbir}/configs/inference/{name}.yaml")
        with torch.device("meta"):
            module, _, kind = config.target.rpartition(".")
            kinds = {"RRDBNet": "bsrnet", "SwinIR": "swinir", "SCUNet": "scunet"}
            network = getattr(importlib.import_module(f"{module}.{kinds[kind]}"), kind)(**config.params)
        yield name, network
    image = dict(img_size=384, embed_dim=192, depths=[2, 2, 18, 2], num_heads=[6, 12, 24, 48], window_size=12)
    bert = dict(num_hidden_layers=2, num_attention_heads=4, intermediate_size=3072, vocab_size=11)
    with torch.device("meta"):
        network = ram()(4585, 512, 768, image, bert)
        del network.tag_encoder, network.text_decoder
    yield "ram", network


def left_out(module):
    """What files of weights hold and no computation needs: here with any numbers, so that nothing may depend on them."""
    return [
        [name, list(tensor.shape), 1.0, 0.0]
        for name, tensor in sorted(module.state_dict().items())
        if name.endswith(("attn_mask", "relative_position_index"))
    ]


def main():
    diffbir, seesr, path = sys.argv[1:]
    packages(diffbir, seesr)
    stored, cases = {}, []
    for make in (restorers, recognisers, text_encoders, stages, colours):
        torch.manual_seed(0)
        for name, kind, config, module, tensors, run in make():
            module.eval()
            fill(module)
            with torch.no_grad():
                output = run(**tensors)
            assert torch.isfinite(output).all() and output.std() > 1e-2, name
            stored |= {f"{name}/{key}": value.contiguous().clone() for key, value in (tensors | {"y": output}).items()}
            cases.append(dict(name=name, kind=kind, config=config, weights=describe(module) + left_out(module)))
            print(name, list(output.shape), f"{output.std():.3f}", len(cases[-1]["weights"]))
    save_file(stored, f"{path}.safetensors", {"cases": json.dumps(cases, separators=(",", ":"))})
    print(f"{len(cases)} cases in {path}.safetensors")
    with open(f"{path}_names.txt", "w") as file:
        for network, module in full_size(diffbir):
            for name, parameter in sorted(module.named_parameters()):
                print(network, name, *parameter.shape, file=file)


if __name__ == "__main__":
    main()
