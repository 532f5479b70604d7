"""Trains a built-in model on a machine that has a GPU and what `tools/train/requirements.txt` names, from its committed
weights, for some minutes.

    python train.py pack photo_x4 --photos PHOTOS --output FOLDER        here: at most 45 MiB
    python train.py train FOLDER --minutes 8 --output OUT                there
    python train.py join OUT MODEL_FOLDER/COMPONENT                      here again

`pack` shrinks the photographs until they fit beside the code and the weights. `train` leaves the averaged weights in OUT as
fp16, in pieces of less than 16 MiB, with the log; `join` puts them together where they belong.
"""

import argparse
import io
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LARGEST, PIECE = 45 << 20, 15 << 20
# Where the weights of each model lie, and what its training reads beside them.
WEIGHTS = {
    "photo_x4": "kds-photo-x4/unet",
    "photo_x1": "kds-photo-x1/unet",
    "predictor_x1": "kds-photo-x1/predictor",
}
NAME = "diffusion_pytorch_model.safetensors"


def pack(options) -> None:
    folder = options.output
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "tools/train", folder / "code", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(__file__, folder / "train.py")
    shutil.copy(ROOT / "models" / WEIGHTS[options.model] / NAME, folder / "start.safetensors")
    shutil.copy(ROOT / "tests/data/lpips_alex.safetensors", folder / "lpips.safetensors")
    if options.model == "photo_x1":
        shutil.copy(ROOT / "models" / WEIGHTS["predictor_x1"] / NAME, folder / "predictor.safetensors")
    (folder / "model.json").write_text(json.dumps({"model": options.model}))
    left = LARGEST - size(folder)
    side = shrink(options.photos, folder / "photos", left, options.longest)
    print(f"{folder}: {size(folder) / 2**20:.1f} MiB, photographs of at most {side} pixels a side")


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def shrink(photos: Path, folder: Path, most: int, longest: int) -> int:
    """Writes the photographs as JPEG, at the largest of a few sizes that fits; a tenth of them tells which."""
    sys.path.insert(0, str(ROOT / "tools/train"))
    from photos import files, read
    from PIL import Image

    training, held_out = files(photos)
    paths = sorted(training + held_out)  # The same split is made of the same names.

    def encode(path: Path, side: int) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(read(path, side)).save(buffer, "JPEG", quality=90, subsampling=0, optimize=True)
        return buffer.getvalue()

    sample = paths[::10]
    sides = [side for side in (1400, 1200, 1024, 896, 768, 640, 512, 448, 384, 320, 256) if side <= longest]
    for side in sides:
        if sum(len(encode(path, side)) for path in sample) * len(paths) / len(sample) > 0.95 * most:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path in paths:
            (folder / f"{path.stem}.jpg").write_bytes(encode(path, side))
        if size(folder) <= most:
            return side
    raise SystemExit(f"{len(paths)} photographs do not fit {most} bytes even at {sides[-1]} pixels")


def train(options) -> None:
    folder, output = options.folder.resolve(), options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    model = json.loads((folder / "model.json").read_text())["model"]
    run = output / "run"
    command = [sys.executable, "train.py", model, "--photos", str(folder / "photos"), "--run", str(run)]
    command += ["--start", str(folder / "start.safetensors"), "--rate", str(options.rate), "--batch", str(options.batch)]
    command += ["--side", str(options.side), "--iterations", str(options.iterations)]
    command += ["--deadline", str(time.time() + 60 * options.minutes)]
    if not model.startswith("predictor"):
        command += ["--lpips", str(folder / "lpips.safetensors")]
    if (folder / "predictor.safetensors").exists():
        command += ["--predictor", str(folder / "predictor.safetensors")]
    subprocess.run(command, cwd=folder / "code", check=True)

    component = output / "model" / "component"
    component.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "export.py", str(run / "checkpoint.pt"), str(component)], cwd=folder / "code", check=True)
    weights = (component / NAME).read_bytes()
    for index, first in enumerate(range(0, len(weights), PIECE)):
        (output / f"weights.{index}").write_bytes(weights[first : first + PIECE])
    if (run / "log.tsv").exists():
        shutil.copy(run / "log.tsv", output / "log.tsv")
    # What is left of the run is larger than what may travel.
    shutil.rmtree(run)
    shutil.rmtree(output / "model")


def join(options) -> None:
    pieces = sorted(options.folder.glob("weights.*"), key=lambda path: int(path.suffix[1:]))
    if not pieces:
        raise SystemExit(f"{options.folder} holds no pieces of weights")
    whole = b"".join(path.read_bytes() for path in pieces)
    length = int.from_bytes(whole[:8], "little")
    tensors = json.loads(whole[8 : 8 + length])
    end = max(tensor["data_offsets"][1] for name, tensor in tensors.items() if name != "__metadata__")
    if len(whole) != 8 + length + end:
        raise SystemExit(f"the pieces in {options.folder} are not whole: {len(whole)} of {8 + length + end} bytes")
    target = options.component / NAME
    target.with_suffix(".partial").write_bytes(whole)
    target.with_suffix(".partial").replace(target)
    print(f"{target}: {len(tensors)} entries, {len(whole)} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("pack")
    command.add_argument("model", choices=WEIGHTS)
    command.add_argument("--photos", type=Path, required=True)
    command.add_argument("--output", type=Path, required=True, help="a folder that is not there yet")
    command.add_argument("--longest", type=int, default=1400, help="longest side of a photograph, in pixels")
    command.set_defaults(run=pack)
    command = commands.add_parser("train")
    command.add_argument("folder", type=Path)
    command.add_argument("--minutes", type=float, required=True)
    command.add_argument("--output", type=Path, required=True)
    command.add_argument("--rate", type=float, default=1e-4)
    command.add_argument("--batch", type=int, default=64)
    command.add_argument("--side", type=int, default=128)
    command.add_argument("--iterations", type=int, default=1_000_000, help="the most; the minutes decide")
    command.set_defaults(run=train)
    command = commands.add_parser("join")
    command.add_argument("folder", type=Path)
    command.add_argument("component", type=Path)
    command.set_defaults(run=join)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
