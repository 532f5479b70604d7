"""Measures KDS on a machine that has a GPU, its driver, and Python with torch 2.11; nothing else, no network.

    python3 measure.py [--output report.md]        within eight minutes
    python3 measure.py --only ldm-sr profiler      the parts whose titles hold one of these words
    python3 measure.py --quick                     small sizes, to try it without a GPU
    python3 measure.py --device cpu --quick

It lies in a folder made by `cargo xtask gpu pack`: `packed.tar.xz` (`bin/` with kds, libkds.so and gpu, and `golden/`), `picture.png`,
`networks.py`.
Python's torch is the libtorch. The report is one Markdown file; every part of it runs in a process of its own, so that one that fails
leaves the others.
"""

import argparse
import ctypes
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def torch_folder() -> Path:
    """Where Python's torch is, without importing it."""
    found = importlib.util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        sys.exit("this Python has no torch: pip install torch==2.11.0")
    return Path(list(found.submodule_search_locations)[0])


def unpack(work: Path) -> Path:
    """The folder of `bin` and `golden`."""
    archive = HERE / "packed.tar.xz"
    if not archive.exists():
        return HERE
    with tarfile.open(archive) as tar:
        tar.extractall(work, filter="data")
    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("report.md"))
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--quick", action="store_true", help="small sizes, random networks an eighth as wide")
    parser.add_argument("--seconds", type=float, default=480, help="parts that are not done by then are left out")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="parts whose titles hold one of these words")
    parser.add_argument("--profile", nargs=4, metavar=("LIBRARY", "MODEL", "FOLDER", "SIDE"), help=argparse.SUPPRESS)
    parser.add_argument("--beside", nargs=3, metavar=("MODEL", "FOLDER", "SIDE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.profile:
        library, model, folder, side = options.profile
        return profile(Path(library), model, Path(folder), int(side), options.device, 512 if options.quick else 8192)
    if options.beside:
        model, folder, side = options.beside
        return beside(model, Path(folder), int(side), options.device, options.quick)

    begun = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="kds-gpu-"))
    try:
        text, failed = measure(options, unpack(work), work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    text += f"\nMeasured in {time.monotonic() - begun:.0f} seconds.\n"
    options.output.write_text(text)
    print(f"{options.output} is written" + (f"; failed: {', '.join(failed)}" if failed else ""))
    sys.exit(bool(failed))


def measure(options, unpacked: Path, work: Path) -> tuple[str, list[str]]:
    binaries = unpacked / "bin"
    environment = dict(os.environ, KDS_LIBRARY=str(binaries / "libkds.so"), KDS_GOLDEN=str(unpacked / "golden"))
    folders = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    environment["LD_LIBRARY_PATH"] = ":".join([*folders, str(torch_folder() / "lib")])
    gpu = [str(binaries / "gpu"), "--device", options.device]
    quick = options.quick
    shrink = ["--shrink", "8"] if quick else []
    steps = ["--steps", "2" if quick else "10"]
    picture = str(HERE / "picture.png")
    restore = [str(binaries / "kds"), "restore", picture, "--device", options.device, "-v"]
    restore += ["--particles", "1", "--steps", "1", "--dtype", "f32"] if quick else ["--particles", "4", "--steps", "2"]
    # A machine without a GPU may have little else, too.
    patience = 10 if quick else 1
    parts: list[tuple[str, list[list[str]], int]] = [
        ("Doctor", [[str(binaries / "kds"), "doctor"]], 60),
        ("Networks against the reference", [[*gpu, "networks"]], 240),
        ("Restorations: CPU, then the device, in one process", [[*gpu, "restorations", picture, *(["--crop", "16"] if quick else [])]], 240),
        ("A memory limit", [[*restore, "-o", str(work / f"{m}.png"), "--memory", m] for m in ("4GiB", "400MiB")], 60),
        ("Matrix products", [[*gpu, "matmul", "--side", "256" if quick else "8192"]], 60),
    ]
    profiles = []
    for model, side in (("kds-photo-x4", 256), ("ldm-sr", 128), ("sd-inpaint", 512)):
        side = 32 if quick and model != "sd-inpaint" else 64 if quick else side
        folder = str(work / model)
        run = [*gpu, "time", model, folder, "--side", str(side), *steps, *(["--particles", "1,2"] if quick else [])]
        formats = ["f32"] if quick or model != "kds-photo-x4" else ["f32", "bf16", "f16"]
        commands = [[*run, "--dtype", dtype] for dtype in [*formats, *(["auto"] if formats == ["f32"] else [])]]
        own = [sys.executable, str(HERE / "measure.py"), "--device", options.device, *(["--quick"] if quick else [])]
        commands.append([*own, "--beside", model, folder, str(side)])
        make = [*gpu, "model", model, folder, *shrink]
        parts.append((f"Time and memory: {model}", [make, *commands], 120))
        profiles += [make, [*own, "--profile", str(binaries / "libkds.so"), model, folder, str(side)]]
    # Last, since the profiler did not come back on one machine.
    parts.append(("Under torch's profiler", profiles, 60))

    if options.only:
        parts = [part for part in parts if any(word.lower() in part[0].lower() for word in options.only)]
    text, failed, begun = f"# KDS on {options.device}\n", [], []
    end = time.monotonic() + patience * options.seconds
    for title, commands, limit in ((title, commands, patience * limit) for title, commands, limit in parts):
        print(title, flush=True)
        text += f"\n## {title}\n"
        start = time.monotonic()
        for command in commands:
            # The same model is made for two parts.
            if command in begun:
                continue
            begun.append(command)
            left = min(limit, end - time.monotonic())
            if left <= 1:
                text += f"\nLeft out, since the time was up: `{' '.join(command[-6:])}`\n"
                continue
            try:
                done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=left)
                output, error, good = done.stdout, f"{done.stderr}\nexit status {done.returncode}", done.returncode == 0
                if title in ("Doctor", "A memory limit"):
                    output = f"```\n{output}{done.stderr}```\n"
            except subprocess.TimeoutExpired as expired:
                output, error, good = (expired.stdout or b"").decode(), f"not done within {left:.0f} seconds", False
            if output.strip():
                text += f"\n{output}"
            if not good:
                failed.append(title)
                text += f"\n**Failed**: `{' '.join(command[-6:])}`\n```\n{error[-3000:]}\n```\n"
        text += f"\n({time.monotonic() - start:.1f} s)\n"
    return text, failed


class Image(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32), ("format", ctypes.c_int32), ("width", ctypes.c_uint32), ("height", ctypes.c_uint32),
        ("stride", ctypes.c_size_t), ("data", ctypes.c_void_p), ("len", ctypes.c_size_t), ("alpha", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
    ]  # fmt: skip


GRAY_U8, RGB_U8 = 1, 2


TASKS = {"kds-photo-x4": ("super-resolution", 4), "ldm-sr": ("super-resolution", 4), "sd-inpaint": ("inpainting", 1)}


def cuda_part() -> Path | None:
    """A library that stands in for torch's CUDA part, as in tests: Python's torch cannot be loaded beside it."""
    folders = [Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    found = next((folder for folder in folders if (folder / "libtorch_cuda.so").exists()), None)
    return found / "libtorch_cuda.so" if found and found.resolve() != (torch_folder() / "lib").resolve() else None


def profile(library: Path, model: str, folder: Path, side: int, device: str, product: int) -> None:
    """A model under torch's profiler: KDS computes in this process, by the same libtorch."""
    # With several threads of KDS at work the profiler crashes, sometimes (torch 2.11, begin_op).
    os.environ["OMP_NUM_THREADS"] = "1"
    # Before KDS, which then computes by this libtorch.
    torch, stand_in = None, cuda_part()
    if not stand_in:
        import torch
        from torch.profiler import ProfilerActivity
    kds = ctypes.CDLL(str(library))
    kds.kds_error_message.restype = ctypes.c_char_p
    error = ctypes.c_void_p()

    def call(name, *arguments):
        if getattr(kds, name)(*arguments, ctypes.byref(error)):
            sys.exit(f"{name}: {kds.kds_error_message(error).decode()}")

    task, scale = TASKS[model]
    model_handle, context, job = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    call("kds_context_new", None, ctypes.byref(context))
    name = model
    if not model.startswith("kds"):
        name, registry = "measured", folder / "registry.toml"
        registry.write_text(
            f'[[model]]\nid = "{name}"\ntitle = "Measured"\ntask = "{task}"\nscale = {scale}\nbackbone = "{model}"\npath = "."\n'
        )
        call("kds_context_add_registry", context, str(registry).encode())
    call("kds_model_open", context, name.encode(), device.encode(), None, ctypes.byref(model_handle))
    used, dtype = ctypes.c_char_p(), ctypes.c_char_p()
    call("kds_model_device", model_handle, ctypes.byref(used), ctypes.byref(dtype))
    call("kds_job_new", model_handle, ctypes.byref(job))
    for name, value in ((b"particles", b"4"), (b"steps", b"4")):
        call("kds_job_set", job, name, value)
    source, target = (ctypes.c_uint8 * (3 * side * side))(), (ctypes.c_uint8 * (3 * scale**2 * side * side))()
    hole = (ctypes.c_uint8 * (side * side))()
    for index in range(0, len(source), 7):
        source[index] = index % 251
    for index in range(side // 4 * side, side // 2 * side):
        hole[index] = 255

    def image(buffer, form, width, channels):
        size = ctypes.sizeof(Image)
        return Image(size, form, width, width, channels * width, ctypes.addressof(buffer), len(buffer), 0, 0)

    def run() -> float:
        start = time.perf_counter()
        given, result = image(source, RGB_U8, side, 3), image(target, RGB_U8, scale * side, 3)
        mask = image(hole, GRAY_U8, side, 1)
        mask = ctypes.byref(mask) if task == "inpainting" else None
        call("kds_job_run", job, ctypes.byref(given), mask, ctypes.byref(result), None, None, None)
        return time.perf_counter() - start

    run()
    seconds = run()
    if torch is None:
        print(f"KDS, {side} x {side} pixels, 4 particles, 4 steps: {seconds:.3f} s; not profiled: {stand_in} is not torch's\n")
        return

    cuda = device.startswith("cuda") and torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with torch.profiler.profile(activities=activities, record_shapes=True, with_flops=True) as profiler:
        run()
    averages = profiler.key_averages()
    speed = sum(event.flops for event in averages) / seconds
    kind = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[dtype.value.decode()]
    peak = fastest_product(product, kind, "cuda" if cuda else "cpu")
    print(f"KDS, {side} x {side} pixels, 4 particles, 4 steps, {dtype.value.decode()}, everything from the picture to the "
          f"picture: {seconds:.3f} s, {speed * seconds / 1e12:.3f} TFLOP in convolutions and products, {speed / 1e12:.2f} "
          f"TFLOP/s, {speed / peak:.0%} of a product of {product} x {product} matrices ({peak / 1e12:.1f} TFLOP/s"
          f"{'' if cuda else ', on the CPU'})\n")  # fmt: skip
    key = "self_device_time_total" if cuda else "self_cpu_time_total"
    print(f"```\n{averages.table(sort_by=key, row_limit=15, max_name_column_width=60)}\n```")


def fastest_product(side: int, kind, place: str) -> float:
    """FLOP/s of the best of a few products of square matrices."""
    import torch

    matrix = torch.full((side, side), 1e-3, dtype=kind, device=place)
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        torch.matmul(matrix, matrix)[0, 0].item()
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


def beside(model: str, folder: Path, side: int, device: str, quick: bool) -> None:
    """The same network with the same steering in Python, eager and by `torch.compile`."""
    import torch

    place = device if device.startswith("cuda") and torch.cuda.is_available() else "cpu"
    if place != device:
        print(f"Python's torch sees no {device}: the comparison runs on the CPU.\n")
    found = importlib.util.find_spec("diffusers") is not None
    if model != "kds-photo-x4" and not found:
        print("diffusers is not installed beside this torch: nothing to compare with.")
        return
    config = json.loads((folder / "unet/config.json").read_text())
    if found:
        import diffusers as library
    else:
        import networks as library
    kind = library.UNet2DConditionModel if model == "sd-inpaint" else library.UNet2DModel
    if found:
        unet = kind.from_pretrained(folder / "unet")
    else:
        names = kind.__init__.__code__.co_varnames
        unet = kind(**{name: value for name, value in config.items() if name in names})
    channels, known = config["out_channels"], config["in_channels"] - config["out_channels"]
    side //= 8 if model == "sd-inpaint" else 1
    twice = 2 if model == "sd-inpaint" else 1  # guidance
    alphas = torch.linspace(0.9999, 0.0047, 1000, device=place) ** 2
    from torch.utils.flop_counter import FlopCounterMode

    source = "diffusers" if found else "torch alone, the network of diffusers (diffusers is not installed)"
    print(f"{source}, {side} x {side} latents, a step with steering\n\n| | number format | particles | seconds a step | TFLOP/s | MiB at the peak |\n|---|---|---|---|---|---|")  # fmt: skip
    for dtype in (torch.float32,) if place == "cpu" else (torch.float32, torch.bfloat16):
        unet = unet.to(place, dtype, memory_format=torch.channels_last).eval()
        # Compiling takes most of a minute for each number format and size.
        compiled = model == "kds-photo-x4" and (quick or dtype == torch.bfloat16)
        for name in ("eager", "torch.compile") if compiled else ("eager",):
            try:
                network = torch.compile(unet, dynamic=False) if name == "torch.compile" else unet
                for particles in (1, 2) if quick else (1, 4, 10):
                    if name == "torch.compile" and particles != (2 if quick else 4):
                        continue
                    seconds, flops, peak = step_time(network, unet, particles, twice, channels, known, side, config, alphas, place, dtype, FlopCounterMode)
                    print(f"| {name} | {str(dtype)[6:]} | {particles} | {seconds:.4f} | {flops / seconds / 1e12:.2f} | {peak >> 20} |", flush=True)
            except Exception as error:  # A machine without a C compiler compiles nothing.
                print(f"| {name} | {str(dtype)[6:]} | not measured: {str(error).splitlines()[0][:100] if str(error) else type(error).__name__} | | | |", flush=True)


def step_time(network, unet, particles, twice, channels, known, side, config, alphas, place, dtype, counter):
    import torch

    def shape(count, depth):
        return torch.randn(count, depth, side, side, device=place, dtype=dtype).to(memory_format=torch.channels_last)

    x, rest = shape(particles, channels), shape(twice * particles, known)
    text = [torch.randn(twice * particles, 77, config["cross_attention_dim"], device=place, dtype=dtype)] if twice == 2 else []

    def predict(run, x, t):
        output = run(torch.cat([torch.cat([x] * twice), rest], 1), t, *text)
        output = getattr(output, "sample", output)
        if twice == 2:
            without, given = output.chunk(2)
            output = without + 7.5 * (given - without)
        return output

    def step(x, t):
        """DDIM, predicting the noise, with one mean-shift step of every pixel's vector (Gaussian kernel)."""
        output = predict(network, x, t).float()
        alpha = alphas[t]
        x0 = (x.float() - (1 - alpha).sqrt() * output) / alpha.sqrt()
        if particles > 1:
            squares = (x0[:, None] - x0[None]).square().sum(2, keepdim=True)
            weights = torch.exp(-squares / 2)
            x0 = x0 + 0.5 * ((weights * x0[None]).sum(1) / weights.sum(1) - x0)
        before = alphas[t - 20]
        return (before.sqrt() * x0 + (1 - before).sqrt() * (x.float() - alpha.sqrt() * x0) / (1 - alpha).sqrt()).to(dtype)

    def wait():
        if place != "cpu":
            torch.cuda.synchronize()

    with torch.no_grad():
        with counter(display=False) as counted:
            predict(unet, x, torch.tensor(500, device=place))
        times = [torch.tensor(t, device=place) for t in (900, 800, 700, 600)]
        step(x, times[0])
        step(x, times[0])
        if place != "cpu":
            torch.cuda.reset_peak_memory_stats()
        wait()
        start = time.perf_counter()
        for t in times:
            x = step(x, t)
        wait()
        seconds = (time.perf_counter() - start) / len(times)
    peak = torch.cuda.max_memory_allocated() if place != "cpu" else 0
    return seconds, counted.get_total_flops(), peak


if __name__ == "__main__":
    main()
