"""Trains a built-in model, resumable at any time.

    python train.py photo_x4 --photos PHOTOS --lpips lpips_alex.safetensors --run RUN --iterations 17500

The folder RUN keeps `checkpoint.pt` (everything, every few minutes; start the same command again to go on) and
`log.tsv`. The learning rate is constant after a warm-up and falls to zero over the last part (warm-up, stable, decay),
so a longer run may start from the checkpoint that the stable part leaves behind. `export.py` writes the weights.
"""

import argparse
import copy
import importlib
import os
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from photos import Crops, files, scaled

SAVE_EVERY = 300.0  # seconds


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["photo_x4", "filler", "predictor_x1", "photo_x1"])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--all", action="store_true", help="hold no photograph of the folder out")
    parser.add_argument("--lpips", type=Path, required=True, help="lpips_alex.safetensors")
    parser.add_argument("--predictor", type=Path, help="safetensors of predictor_x1, for photo_x1")
    parser.add_argument("--filler", type=Path, help="safetensors of filler, for photo_x1")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="weights to start from when RUN has no checkpoint: safetensors, or a model folder")
    parser.add_argument("--iterations", type=int, default=17_500)
    parser.add_argument("--decay", type=float, default=0.2, help="last share of the iterations, with a falling rate")
    parser.add_argument("--perceptual-from", type=float, default=0.6, help="share of the iterations before LPIPS joins")
    parser.add_argument("--perceptual", type=float, default=0.25, help="weight of LPIPS")
    parser.add_argument("--samples", type=float, default=0.0, help="weight of LPIPS and error of finished samples, of half of a batch")
    parser.add_argument("--exponent", type=float, default=0.6, help="timesteps are 1000 u^exponent, u uniform in 0..1")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", type=int, default=128, help="side of a crop, in high-resolution pixels")
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--deadline", type=float, help="stop at this Unix time; the decay is fitted to end there")
    parser.add_argument("--compile", action="store_true", help="torch.compile; slower on processors without bf16")
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches ahead")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Of a safetensors file; of a model folder, every tensor by the name of its component and its own."""
    files = {f"{file.parent.name}.": file for file in path.glob("*/*.safetensors")} if path.is_dir() else {"": path}
    return {prefix + name: value.float() for prefix, file in files.items() for name, value in load_file(file).items()}


def main() -> None:
    options = arguments()
    options.run.mkdir(parents=True, exist_ok=True)
    checkpoint = options.run / "checkpoint.pt"
    device = "cuda" if torch.cuda.is_available() else "cpu"

    kind = importlib.import_module(options.model)
    model = kind.build()
    if options.start and not checkpoint.exists():
        model.load_state_dict(read_weights(options.start))
    model = model.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    iteration, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        iteration, seconds = state["iteration"], state["seconds"]

    torch.backends.cudnn.benchmark = True
    torch.manual_seed(options.seed + iteration)
    training, held_out = files(options.photos)
    paths = training + held_out if options.all else training
    crops = Crops(paths, options.batch, options.side, kind.known, options.seed + iteration)
    print(f"{len(crops.images)} photographs, {crops.megapixels:.0f} megapixels, from iteration {iteration}", flush=True)
    batches = crops.ahead(options.workers)
    losses = kind.objective(options, device)
    forward = torch.compile(model) if options.compile else model
    # Elsewhere bf16 is emulated, at a tenth of the speed.
    bf16 = device == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    total, start, errors = options.iterations, time.time() - seconds, []
    begun, first = time.time(), iteration
    saved = begun

    while iteration < total:
        if options.deadline and iteration % 10 == 5:  # the iterations that will fit
            pace = (time.time() - begun) / max(iteration - first, 1)
            total = min(options.iterations, iteration + max(1, int((options.deadline - time.time()) / pace)))
        fraction = iteration / total
        rate = options.rate * min(1, (iteration + 1) / 200) * min(1, max(0.0, (1 - fraction) / options.decay))
        for group in optimizer.param_groups:
            group["lr"] = rate

        high, *known = (scaled(x, device) for x in next(batches))
        known = kind.prepare(*known)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=bf16):
            error, loss = losses(forward, fraction, high, *known)
        errors.append(error.detach())  # Not read before the line is written: the GPU would wait for it.
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        iteration += 1

        decay = min(0.999, (1 + iteration) / (10 + iteration))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
        if iteration % 100 == 0:
            means = "\t".join(f"{mean:.5f}" for mean in torch.stack(errors).mean(0).flatten().tolist())
            line = f"{iteration}\t{time.time() - start:.0f}\t{rate:.2e}\t{means}"
            print(line, flush=True)
            with open(options.run / "log.tsv", "a") as log:
                log.write(line + "\n")
            errors = []
        if time.time() > saved + SAVE_EVERY or iteration >= total:
            saved = time.time()
            state = dict(model=model.state_dict(), average=average.state_dict(), optimizer=optimizer.state_dict(),
                         iteration=iteration, seconds=time.time() - start, total=total)  # fmt: skip
            torch.save(state, checkpoint.with_suffix(".partial"))
            os.replace(checkpoint.with_suffix(".partial"), checkpoint)


if __name__ == "__main__":
    main()
