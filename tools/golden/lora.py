"""Golden data of low-rank updates: peft, diffusers' LoRA layers and loralib on small layers, and the weights they merge to.

    python -m pip install loralib==0.1.2 peft accelerate
    python tools/golden/lora.py tests/golden/lora.safetensors

Tensors: `CASE/base/NAME`, `CASE/lora/NAME` as the file of updates has it, `CASE/merged/NAME`. All are small and stored.
"""

import sys

import loralib
import torch
from diffusers.models.lora import LoRACompatibleConv, LoRACompatibleLinear, LoRAConv2dLayer, LoRALinearLayer
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file


class Layers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.to_q = torch.nn.Linear(6, 4)
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.proj = torch.nn.Conv2d(4, 5, 1)


def randomise(module: torch.nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()


def peft_case() -> dict:
    layers = Layers()
    base = {name: tensor.clone() for name, tensor in layers.state_dict().items()}
    # alpha / r is not 1.
    model = get_peft_model(layers, LoraConfig(r=2, lora_alpha=3, target_modules=["to_q", "conv", "proj"]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_()
    updates = {name: tensor.clone() for name, tensor in get_peft_model_state_dict(model).items()}
    return dict(base=base, lora=updates, merged=model.merge_and_unload().state_dict())


def diffusers_case() -> dict:
    """Names of attention processors, and of other layers as diffusers saved both before it used peft; alpha in the file."""
    linear, conv = LoRACompatibleLinear(6, 4), LoRACompatibleConv(3, 4, 3)
    base = {
        "attn1.to_q.weight": linear.weight.clone(), "attn1.to_out.0.weight": linear.weight.clone() * 2,
        "conv.weight": conv.weight.clone(),
    }  # fmt: skip
    updates, merged = {}, {}
    for name, saved in (
        ("attn1.to_q", "attn1.processor.to_q_lora"), ("attn1.to_out.0", "attn1.processor.to_out_lora"), ("conv", "conv.lora"),
    ):  # fmt: skip
        if name == "conv":
            module = LoRACompatibleConv(3, 4, 3)
            lora = LoRAConv2dLayer(3, 4, rank=2, kernel_size=(3, 3), network_alpha=None)
        else:
            module, lora = LoRACompatibleLinear(6, 4), LoRALinearLayer(6, 4, rank=3, network_alpha=1.5)
        randomise(lora)
        with torch.no_grad():
            module.weight.copy_(base[f"{name}.weight"])
        module.lora_layer = lora
        for half in ("down", "up"):
            updates[f"unet.{saved}.{half}.weight"] = getattr(lora, half).weight.detach().clone()
        if lora.network_alpha is not None:
            updates[f"unet.{name}.alpha"] = torch.tensor(lora.network_alpha)
        module._fuse_lora(0.75)
        merged[f"{name}.weight"] = module.weight.detach().clone()
    updates["text_encoder.layer.lora.down.weight"] = torch.zeros(2, 3)
    return dict(base=base, lora=updates, merged=merged)


def loralib_case() -> dict:
    """The layers of DAPE: queries and values of one projection, and plain ones."""
    model = torch.nn.ModuleDict(dict(
        qkv=loralib.MergedLinear(6, 12, r=2, enable_lora=[True, False, True]), query=loralib.Linear(5, 7, r=4),
    ))  # fmt: skip
    model.train()
    randomise(model)
    base = {name: tensor.detach().clone() for name, tensor in model.state_dict().items() if "lora_" not in name}
    updates = {name: tensor.detach().clone() for name, tensor in loralib.lora_state_dict(model).items()}
    model.eval()
    merged = {name: tensor for name, tensor in model.state_dict().items() if "lora_" not in name}
    return dict(base=base, lora=updates | {"text_decoder.query.lora_A": torch.zeros(4, 5)}, merged=merged)


def main() -> None:
    torch.manual_seed(0)
    cases = dict(peft=peft_case(), diffusers=diffusers_case(), loralib=loralib_case())
    tensors = {
        f"{case}/{part}/{name}": tensor.detach().contiguous().clone()
        for case, parts in cases.items()
        for part, content in parts.items()
        for name, tensor in content.items()
    }
    save_file(tensors, sys.argv[1])


if __name__ == "__main__":
    main()
