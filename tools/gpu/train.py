"""Trains a built-in model on a machine that has a GPU, from its committed weights, for some minutes. That machine needs
Python with torch, numpy, OpenCV, Pillow and safetensors; no diffusers, no network.

    python train.py pack photo_x4 --photos PHOTOS --output FOLDER        here: at most 62 MiB
    python train.py train FOLDER --minutes 8 --output OUT                there
    python train.py join OUT MODEL_FOLDER                                here again

`pack` takes the code of `tools/train`, the network of diffusers in torch alone (`diffusers.py`), the weights, and the
photographs, compressed until they fit; it needs what `tools/train/requirements.txt` names. `train` leaves the averaged
weights in OUT as fp16, in pieces of less than 16 MiB, with the log; `join` puts them together where they belong.
"""

import argparse
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PIECE = 15 << 20
# Of each model: its folder below `models`, and what is trained in turn: the kind (of `tools/train/train.py`), its components, and its
# share of the time.
TRAINED = {
    "photo_x4": ("kds-photo-x4", [("photo_x4", ["unet", "predictor"], 1.0)]),
    "photo_x1": ("kds-photo-x1", [("filler", ["filler"], 0.3), ("predictor_x1", ["predictor"], 0.3), ("photo_x1", ["unet"], 0.4)]),
}
NAME = "diffusion_pytorch_model.safetensors"
SIDES, QUALITIES = (1400, 1024, 768, 512, 384, 256), (94, 90, 85)


def pack(options) -> None:
    folder, (model, stages) = options.output, TRAINED[options.model]
    folder.mkdir(parents=True)
    cache = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tools/train", folder / "code", ignore=cache)
    shutil.copy(HERE / "diffusers.py", folder / "code")
    shutil.copy(__file__, folder / "train.py")
    for component in (component for _, components, _ in stages for component in components):
        (folder / "start" / component).mkdir(parents=True)
        shutil.copy((options.start or ROOT / "models" / model) / component / NAME, folder / "start" / component / NAME)
    shutil.copy(ROOT / "tests/data/lpips_alex.safetensors", folder / "lpips.safetensors")
    (folder / "model.json").write_text(json.dumps({"model": options.model}))
    written = shrink(options.photos, folder / "photos", (options.largest << 20) - size(folder))
    print(f"{folder}: {size(folder) / 2**20:.1f} MiB, {written}")


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def encode(path: Path, side: int, quality: int) -> bytes:
    from PIL import Image

    image = Image.open(path).convert("RGB")
    image.thumbnail((side, side), Image.LANCZOS)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=quality, method=4)
    return content.getvalue()


def trained_on(photos: Path) -> list[Path]:
    """The photographs that `tools/train/photos.py` does not hold out."""
    found = importlib.util.spec_from_file_location("photos_of_training", ROOT / "tools/train/photos.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.files(photos)[0]


def shrink(photos: Path, folder: Path, most: int) -> str:
    """Writes the photographs at the best of a few sizes and qualities that fits; a tenth of them tells which."""
    paths = trained_on(photos)
    folder.mkdir()
    with ProcessPoolExecutor() as processes:
        for side, quality in product(SIDES, QUALITIES):
            sample = paths[::10]
            bytes_of_sample = sum(map(len, processes.map(partial(encode, side=side, quality=quality), sample)))
            if bytes_of_sample * len(paths) / len(sample) > 0.97 * most:
                continue
            for path, content in zip(paths, processes.map(partial(encode, side=side, quality=quality), paths, chunksize=8)):
                (folder / f"{path.stem}.webp").write_bytes(content)
            if size(folder) <= most:
                return f"{len(paths)} photographs, at most {side} pixels a side, WebP quality {quality}"
    raise SystemExit(f"{len(paths)} photographs do not fit {most} bytes even at {SIDES[-1]} pixels")


def train(options) -> None:
    folder, output = options.folder.resolve(), options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    name, stages = TRAINED[json.loads((folder / "model.json").read_text())["model"]]
    end, left = time.time() + 60 * options.minutes, 1.0
    for kind, components, share in stages:
        # What a stage leaves of its time is the next one's.
        deadline = time.time() + (end - time.time()) * share / left
        left -= share
        train_stage(options, folder, output, name, kind, components, deadline)


def train_stage(options, folder: Path, output: Path, name: str, kind: str, components: list[str], deadline: float) -> None:
    run, written = output / "run", output / name
    start = folder / "start" / (f"{components[0]}/{NAME}" if len(components) == 1 else "")
    command = [sys.executable, "train.py", kind, "--photos", str(folder / "photos"), "--all", "--run", str(run)]
    command += ["--start", str(start), "--rate", str(options.rate), "--batch", str(options.batch)]
    command += ["--side", str(options.side), "--iterations", str(options.iterations), "--decay", str(options.decay)]
    command += ["--workers", str(options.workers), "--deadline", str(deadline)]
    command += ["--lpips", str(folder / "lpips.safetensors"), "--perceptual", str(options.perceptual)]
    command += ["--perceptual-from", str(options.perceptual_from)]
    if kind in ("photo_x4", "photo_x1"):
        command += ["--samples", str(options.samples)]
    if kind == "photo_x1":
        command += ["--predictor", str(folder / "start/predictor" / NAME), "--filler", str(folder / "start/filler" / NAME)]
    subprocess.run(command, cwd=folder / "code", check=True)

    for component in components:
        (written / component).mkdir(parents=True)
    # One component is a file of its own; several are the parts of a model.
    target = written / components[0] if len(components) == 1 else written
    subprocess.run([sys.executable, "export.py", str(run / "checkpoint.pt"), str(target)], cwd=folder / "code", check=True)
    for component in components:
        weights = (written / component / NAME).read_bytes()
        for index, first in enumerate(range(0, len(weights), PIECE)):
            (output / f"{component}.{index}").write_bytes(weights[first : first + PIECE])
        # The next stage goes on from it.
        (folder / "start" / component / NAME).write_bytes(weights)
    if (run / "log.tsv").exists():
        shutil.copy(run / "log.tsv", output / f"{kind}.tsv")
    # What is left of the run is larger than what may travel.
    shutil.rmtree(run)
    shutil.rmtree(written)


def join(options) -> None:
    pieces: dict[str, list[Path]] = {}
    for path in options.folder.iterdir():
        if path.suffix[1:].isdigit():
            pieces.setdefault(path.stem, []).append(path)
    if not pieces:
        raise SystemExit(f"{options.folder} holds no pieces of weights")
    # All of them are looked at before one is written.
    found = {component: whole(component, paths) for component, paths in pieces.items()}
    for component in found:
        if not (options.model / component).is_dir():
            raise SystemExit(f"{options.model} has no component {component}; name the folder of the model")
    for component, content in found.items():
        target = options.model / component / NAME
        target.with_suffix(".partial").write_bytes(content)
        target.with_suffix(".partial").replace(target)
        print(f"{target}: {len(content)} bytes")


def whole(component: str, paths: list[Path]) -> bytes:
    content = b"".join(path.read_bytes() for path in sorted(paths, key=lambda path: int(path.suffix[1:])))
    length = int.from_bytes(content[:8], "little")
    tensors = json.loads(content[8 : 8 + length])
    end = 8 + length + max(tensor["data_offsets"][1] for name, tensor in tensors.items() if name != "__metadata__")
    if len(content) != end:
        raise SystemExit(f"the pieces of {component} are not whole: {len(content)} of {end} bytes")
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("pack")
    command.add_argument("model", choices=TRAINED)
    command.add_argument("--photos", type=Path, required=True)
    command.add_argument("--output", type=Path, required=True, help="a folder that is not there yet")
    command.add_argument("--start", type=Path, help="folder of the model to start from [default: the committed one]")
    command.add_argument("--largest", type=int, default=62, help="of the folder, in MiB")
    command.set_defaults(run=pack)
    command = commands.add_parser("train")
    command.add_argument("folder", type=Path)
    command.add_argument("--minutes", type=float, required=True)
    command.add_argument("--output", type=Path, required=True)
    command.add_argument("--rate", type=float, default=3e-4)
    command.add_argument("--batch", type=int, default=128)
    command.add_argument("--side", type=int, default=128)
    command.add_argument("--decay", type=float, default=0.5, help="last share of the iterations, with a falling rate")
    command.add_argument("--perceptual-from", type=float, default=0.0, help="share of the iterations before LPIPS joins")
    command.add_argument("--perceptual", type=float, default=0.25, help="weight of LPIPS")
    command.add_argument("--samples", type=float, default=1.0, help="weight of LPIPS of finished samples")
    command.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 1) - 2), help="processes that make batches")
    command.add_argument("--iterations", type=int, default=1_000_000, help="the most; the minutes decide")
    command.set_defaults(run=train)
    command = commands.add_parser("join")
    command.add_argument("folder", type=Path)
    command.add_argument("model", type=Path, help="folder of the model, as models/kds-photo-x4")
    command.set_defaults(run=join)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
