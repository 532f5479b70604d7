"""Golden data of the built-in models: the networks of `tools/train`, small and with random weights, as model folders.

    python tools/golden/residual.py tests/golden

Each folder holds a model in the layout that KDS loads and `golden.safetensors`: the `image` in [-1, 1] (with its `mask`
and the `filled` image, for the model that fills holes), a state `x` and its `timestep`, the network's output `predicted`, and
`latents` with the picture that they are `decoded` to.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from diffusers import UNet2DModel
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "train"))
import filler  # noqa: E402
import latents_x4  # noqa: E402
import photo_x1  # noqa: E402
import photo_x4  # noqa: E402
import same_size  # noqa: E402
from predictor import Predictor  # noqa: E402
from predictor_x4 import Edsr  # noqa: E402

SMALL = dict(block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4,
             down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2)  # fmt: skip
SMALL_PREDICTOR = dict(shuffle=2, block_out_channels=(6, 10, 8), layers_per_block=1, middle_layers=2)
SMALL_FILLER = SMALL_PREDICTOR | dict(block_out_channels=(4, 6, 8))
SMALL_EDSR = dict(channels=5, layers=3)


def main(folder: Path) -> None:
    picture = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1)) * 2 - 1
    hole = torch.zeros(1, 1, 40, 56)
    hole[..., 5:30, 11:37] = 1
    hole[..., 38:, 50:] = 1
    filled = same_size.fill(picture, hole)
    predictor = first(folder / "residual_x1" / "predictor", Predictor, SMALL_PREDICTOR)
    network = first(folder / "residual_x1" / "filler", Predictor, SMALL_FILLER)
    with torch.no_grad():
        better = filler.fill(filled, hole, network)
        guess = predictor(better, hole)
    known = (guess, hole, better - guess)
    save(folder / "residual_x1", "kds-photo-x1", photo_x1, known, {}, dict(image=picture, mask=hole, filled=filled))

    low = picture[..., :12, :16]
    edsr = first(folder / "residual_x4" / "predictor", Edsr, SMALL_EDSR)
    with torch.no_grad():
        guess = torch.cat(edsr(latents_x4.condition(low)), 1)
    channels = photo_x4.UNET_CONFIG["in_channels"] - photo_x4.predictor_x4.CONFIG["channels"] + SMALL_EDSR["channels"]
    save(folder / "residual_x4", "kds-photo-x4", photo_x4, (low, guess), dict(in_channels=channels), dict(image=low))


def perturb(model: torch.nn.Module) -> None:
    """Away from the numbers of the initialisation, some of which are zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


def first(folder: Path, network: type, config: dict) -> torch.nn.Module:
    """A random first network, saved."""
    torch.manual_seed(3)
    model = network(**config)
    perturb(model)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(model.state_dict(), folder / "diffusion_pytorch_model.safetensors")
    return model


def save(folder: Path, source: str, kind, known: tuple, changes: dict, tensors: dict) -> None:
    torch.manual_seed(2)
    model = UNet2DModel(**kind.UNET_CONFIG | SMALL | changes).eval()
    perturb(model)
    with torch.no_grad():
        condition = kind.condition(*known)
        x, latents = torch.randn(2, 2, 48, *condition.shape[-2:])
        inputs = torch.cat([x, condition.expand(2, -1, -1, -1)], 1)
        predicted = model(inputs, torch.tensor(437)).sample
        decoded = kind.decode(latents[:1], *known)
    for name in ("unet", "scheduler"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("model_index.json", "scheduler/scheduler_config.json"):
        shutil.copyfile(ROOT / "models" / source / name, folder / name)
    index = json.loads((folder / "model_index.json").read_text())
    # The networks alone: no change is too small.
    index = {name: value for name, value in index.items() if name not in ("least_change", "change_window")}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    config = json.loads((ROOT / "models" / source / "unet" / "config.json").read_text())
    config |= {name: list(value) if isinstance(value, tuple) else value for name, value in (SMALL | changes).items()}
    (folder / "unet" / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(model.state_dict(), folder / "unet" / "diffusion_pytorch_model.safetensors")
    tensors |= dict(x=x, timestep=torch.tensor([437.0]), predicted=predicted, latents=latents[:1], decoded=decoded)
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / "golden.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
