"""A small model as `tools/export_torchscript.py` writes it, and what diffusers makes of the same weights.

    python tools/golden/torchscript.py tests/golden

`torchscript.pt` is latent diffusion super-resolution 2x with random weights. `torchscript.safetensors` holds for two sizes,
neither that of the export, `SIZE/image`, `SIZE/x`, `SIZE/timestep`, `SIZE/predicted`, `SIZE/latents`, `SIZE/decoded`.
`torchscript_broken/` holds files that go wrong in the way their names say.
"""

import json
import sys
import zipfile
from pathlib import Path

import torch
from diffusers import UNet2DModel, VQModel
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from export_torchscript import export_ldm_sr  # noqa: E402

SIZES = {"wide": (1, 8, 24), "batch": (3, 20, 12)}
SCHEDULER = dict(beta_start=0.0015, beta_end=0.0155, beta_schedule="scaled_linear", num_train_timesteps=1000)


def shrink(module: torch.jit.ScriptModule, path: Path) -> None:
    """Saves a module without the names of its source lines, and compressed: a fifth of the size."""
    whole = path.with_suffix(".whole")
    module.save(str(whole))
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as small:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                small.writestr(zipfile.ZipInfo(entry.filename), source.read(entry), zipfile.ZIP_DEFLATED)
    whole.unlink()


def main(folder: Path) -> None:
    torch.manual_seed(7)
    unet = UNet2DModel(
        in_channels=6, out_channels=3, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4,
        attention_head_dim=8, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    ).eval()  # fmt: skip
    vqvae = VQModel(
        block_out_channels=(8, 8), layers_per_block=1, latent_channels=3, num_vq_embeddings=17, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    ).eval()  # fmt: skip
    whole = folder / "torchscript.whole.pt"
    export_ldm_sr(unet, vqvae, SCHEDULER, whole)
    shrink(torch.jit.load(whole), folder / "torchscript.pt")
    whole.unlink()
    tensors = {}
    with torch.no_grad():
        for name, (count, height, width) in SIZES.items():
            image, timestep = torch.rand(1, 3, height, width) * 2 - 1, torch.tensor([321.0])
            x, latents = torch.randn(count, 3, height, width), torch.randn(1, 3, height, width)
            predicted = unet(torch.cat([x, image.expand(count, -1, -1, -1)], 1), timestep[0]).sample
            found = dict(image=image, x=x, timestep=timestep, predicted=predicted, latents=latents)
            found["decoded"] = vqvae.decode(latents).sample
            tensors |= {f"{name}/{key}": value.contiguous() for key, value in found.items()}
    save_file(tensors, folder / "torchscript.safetensors")


GOOD_SPEC = json.dumps(dict(scale=1, latent_channels=3, scheduler=SCHEDULER))


class Sound(torch.nn.Module):
    """A model in the simplest form: the picture is what it is."""

    text: str

    def __init__(self, text: str = GOOD_SPEC):
        super().__init__()
        self.text = text

    @torch.jit.export
    def spec(self) -> str:
        return self.text

    @torch.jit.export
    def condition(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return image

    @torch.jit.export
    def predict(self, x: torch.Tensor, timestep: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)

    @torch.jit.export
    def decode(self, latents: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return condition

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Raising(Sound):
    @torch.jit.export
    def predict(self, x: torch.Tensor, timestep: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("the predictor is out of order")


class OtherShape(Sound):
    @torch.jit.export
    def predict(self, x: torch.Tensor, timestep: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return x[:, :1]


class SmallPicture(Sound):
    @torch.jit.export
    def decode(self, latents: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return condition[..., 1:]


class NoNumbers(Sound):
    @torch.jit.export
    def predict(self, x: torch.Tensor, timestep: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return x / 0.0


class Number(Sound):
    @torch.jit.export
    def spec(self) -> int:
        return 3


class Methodless(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def broken(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    spec = json.loads(GOOD_SPEC)
    modules = {
        "sound": Sound(), "raises": Raising(), "other_shape": OtherShape(), "small_picture": SmallPicture(),
        "no_numbers": NoNumbers(), "spec_is_a_number": Number(), "no_methods": Methodless(),
        "spec_is_no_json": Sound("scale = 1"), "unknown_key": Sound(json.dumps(spec | dict(colour="red"))),
        "no_scale": Sound(json.dumps(spec | dict(scale=0))),
        "huge": Sound(json.dumps(spec | dict(latent_channels=2**40))),
        "no_schedule": Sound(json.dumps(spec | dict(scheduler=dict(num_train_timesteps=0)))),
    }  # fmt: skip
    for name, module in modules.items():
        shrink(torch.jit.script(module), folder / f"{name}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    broken(Path(sys.argv[1]) / "torchscript_broken")
