"""Exports a denoiser as one TorchScript file that KDS loads (`backbone = "torchscript"`).

    python tools/export_torchscript.py ldm-sr FOLDER OUT.pt

exports a folder of diffusers' LDMSuperResolutionPipeline. For a model of your own, call `export` below. What is needed is
torch alone (and diffusers for the example).

The file holds a module with these methods. Pictures are 1 x 3 x h x w in -1..1; latents are n x C x h/d x w/d, where C is
`latent_channels` and d `downscale`; everything is f32.

    spec() -> str                                   the JSON of `spec` below
    condition(image, mask) -> Tensor                what `predict` and `decode` are given of a picture; the mask is
                                                    1 x 1 x h x w, 1 where to fill, and 0 everywhere for most models
    predict(x, timestep, condition) -> Tensor       the network's output for the latents x, of their shape; the timestep
                                                    is a tensor of one f32
    decode(latents, condition) -> Tensor            the picture 1 x 3 x h*scale x w*scale of finished latents

`spec` is a dictionary of

    scale             output pixels per input pixel, along a side
    latent_channels   channels of the latents
    downscale         input pixels per latent pixel, along a side; default 1
    multiple          sides of the input are multiples of this; default `downscale`
    largest_side      largest side of the input, in pixels; default 512
    overlap           input pixels by which tiles overlap: how far the network looks; default 32
    fills_holes       whether it fills what the mask marks; default false
    latent_std        standard deviation of the latents over photographs; default 1
    scheduler         a scheduler_config.json of diffusers: noise schedule and `prediction_type`
    activation_bytes  bytes that one call of `predict` needs per latent and input pixel; default 4096
"""

import argparse
import json
from pathlib import Path

import torch


class Denoiser(torch.nn.Module):
    """Traced parts behind the methods that KDS calls."""

    spec_json: str

    def __init__(self, spec: str, condition: torch.nn.Module, predict: torch.nn.Module, decode: torch.nn.Module):
        super().__init__()
        self.spec_json = spec
        self.condition_part, self.predict_part, self.decode_part = condition, predict, decode

    @torch.jit.export
    def spec(self) -> str:
        return self.spec_json

    @torch.jit.export
    def condition(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.condition_part(image, mask)

    @torch.jit.export
    def predict(self, x: torch.Tensor, timestep: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.predict_part(x, timestep, condition)

    @torch.jit.export
    def decode(self, latents: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.decode_part(latents, condition)

    def forward(self, x: torch.Tensor, timestep: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.predict_part(x, timestep, condition)


def export(path: Path, spec: dict, condition, predict, decode, side: int = 64) -> None:
    """Traces three modules on a picture of `side` x `side` + 16 pixels and two latents, and writes the file.

    What a module does must depend on the values and sizes of its arguments by tensor operations alone: tracing records one
    run. A module that is scripted already (`torch.jit.script`) is taken as it is.
    """
    cell = spec.get("downscale", 1)
    height, width = side, side + 16
    image, mask = torch.rand(1, 3, height, width) * 2 - 1, torch.zeros(1, 1, height, width)
    x = torch.randn(2, spec["latent_channels"], height // cell, width // cell)

    def traced(module, *arguments):
        if isinstance(module, torch.jit.ScriptModule):
            return module
        return torch.jit.trace(module.eval(), arguments, check_trace=False)

    with torch.no_grad():
        condition = traced(condition, image, mask)
        known = condition(image, mask)
        predict = traced(predict, x, torch.tensor(500.0), known)
        decode = traced(decode, x[:1], known)
        torch.jit.script(Denoiser(json.dumps(spec), condition, predict, decode)).save(str(path))


def export_ldm_sr(unet, vqvae, scheduler: dict, path: Path) -> None:
    """Latent diffusion super-resolution: the network sees the latents beside the small picture."""

    class Condition(torch.nn.Module):
        def forward(self, image, mask):
            return image

    class Predict(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.unet = unet

        def forward(self, x, timestep, condition):
            known = condition.expand(x.shape[0], -1, -1, -1)
            return self.unet(torch.cat([x, known], 1), timestep.expand(x.shape[0])).sample

    class Decode(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.vqvae = vqvae

        def forward(self, latents, condition):
            return self.vqvae.decode(latents).sample

    levels = 2 ** (len(unet.config.block_out_channels) - 1)
    spec = dict(
        scale=2 ** (len(vqvae.config.block_out_channels) - 1), latent_channels=vqvae.config.latent_channels,
        multiple=levels, largest_side=128, overlap=16, scheduler=scheduler,
        activation_bytes=64 * unet.config.block_out_channels[0],
    )  # fmt: skip
    export(path, spec, Condition(), Predict(), Decode(), side=4 * levels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipeline", choices=["ldm-sr"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    from diffusers import UNet2DModel, VQModel

    unet = UNet2DModel.from_pretrained(arguments.folder, subfolder="unet").float()
    vqvae = VQModel.from_pretrained(arguments.folder, subfolder="vqvae").float()
    scheduler = json.loads((arguments.folder / "scheduler" / "scheduler_config.json").read_text())
    export_ldm_sr(unet, vqvae, scheduler, arguments.out)


if __name__ == "__main__":
    main()
