"""Measures KDS on a machine that has a GPU, its driver, and Python with torch 2.11; nothing else, no network.

    python3 measure.py [--output report.md]        within eight minutes
    python3 measure.py --quick                     small sizes, to try it without a GPU
    python3 measure.py --device cpu --quick

It lies in a folder made by `cargo xtask gpu pack`: `bin/` (kds, libkds.so, gpu), `golden/`, `picture.png`. Python's torch
is the libtorch. The report is one Markdown file; every part of it runs in a process of its own, so that one that fails
leaves the others.
"""

import argparse
import ctypes
import importlib.util
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
    archive = HERE / "bin.tar.xz"
    if archive.exists():
        with tarfile.open(archive) as tar:
            tar.extractall(work, filter="data")
        return work / "bin"
    return HERE / "bin"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("report.md"))
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--quick", action="store_true", help="small sizes, random networks an eighth as wide")
    parser.add_argument("--profile", nargs=2, metavar=("LIBRARY", "SIDE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.profile:
        return profile(Path(options.profile[0]), int(options.profile[1]), options.device)

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


def measure(options, binaries: Path, work: Path) -> tuple[str, list[str]]:
    environment = dict(os.environ, KDS_LIBRARY=str(binaries / "libkds.so"), KDS_GOLDEN=str(HERE / "golden"))
    folders = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    environment["LD_LIBRARY_PATH"] = ":".join([*folders, str(torch_folder() / "lib")])
    gpu = [str(binaries / "gpu"), "--device", options.device]
    quick = options.quick
    shrink = ["--shrink", "8"] if quick else []
    steps = ["--steps", "2" if quick else "10"]
    picture = str(HERE / "picture.png")
    restore = [str(binaries / "kds"), "restore", picture, "--device", options.device, "--particles", "4", "--steps", "2", "-v"]
    parts: list[tuple[str, list[list[str]], int]] = [
        ("Doctor", [[str(binaries / "kds"), "doctor"]], 60),
        ("Networks against the reference", [[*gpu, "networks"]], 240),
        ("Restorations: CPU, then the device, in one process", [[*gpu, "restorations", picture, *(["--crop", "32"] if quick else [])]], 240),
        ("A memory limit", [[*restore, "-o", str(work / f"{m}.png"), "--memory", m] for m in ("4GiB", "400MiB")], 60),
        ("Matrix products", [[*gpu, "matmul", "--side", "256" if quick else "8192"]], 60),
    ]
    for model, side in (("kds-photo-x4", 256), ("ldm-sr", 128), ("sd-inpaint", 512)):
        side = 32 if quick and model != "sd-inpaint" else 64 if quick else side
        folder = str(work / model)
        run = [*gpu, "time", model, folder, "--side", str(side), *steps, *(["--particles", "1,2"] if quick else [])]
        formats = ["f32"] if quick or model != "kds-photo-x4" else ["f32", "bf16", "f16"]
        commands = [[*run, "--dtype", dtype] for dtype in [*formats, *(["auto"] if formats == ["f32"] else [])]]
        parts.append((f"Time and memory: {model}", [[*gpu, "model", model, folder, *shrink], *commands], 180))
    own = [sys.executable, str(HERE / "measure.py"), "--device", options.device]
    parts.append(("Where the time goes", [[*own, "--profile", str(binaries / "libkds.so"), "48" if quick else "256"]], 120))

    text, failed = f"# KDS on {options.device}\n", []
    for title, commands, limit in parts:
        print(title, flush=True)
        text += f"\n## {title}\n"
        start = time.monotonic()
        for command in commands:
            try:
                done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit)
                output, error, good = done.stdout, done.stderr, done.returncode == 0
                if title in ("Doctor", "A memory limit"):
                    output = f"```\n{output}{error}```\n"
            except subprocess.TimeoutExpired:
                output, error, good = "", f"not done within {limit} seconds", False
            if output.strip():
                text += f"\n{output}"
            if not good:
                failed.append(title)
                text += f"\n**Failed**: `{' '.join(command[-6:])}`\n```\n{error[-3000:]}\n```\n"
        text += f"\n({time.monotonic() - start:.1f} s)\n"
        shutil.rmtree(work / title.rpartition(" ")[2], ignore_errors=True)  # A model that has been measured.
    return text, failed


class ContextParams(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("threads", ctypes.c_int32), ("registry", ctypes.c_char_p)]


class Image(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32), ("format", ctypes.c_int32), ("width", ctypes.c_uint32), ("height", ctypes.c_uint32),
        ("stride", ctypes.c_size_t), ("data", ctypes.c_void_p), ("len", ctypes.c_size_t), ("alpha", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
    ]  # fmt: skip


RGB_U8 = 2


def profile(library: Path, side: int, device: str) -> None:
    """kds-photo-x4 under torch's profiler: KDS computes in this process, by the same libtorch."""
    kds = ctypes.CDLL(str(library))
    kds.kds_error_message.restype = ctypes.c_char_p
    error = ctypes.c_void_p()

    def call(name, *arguments):
        if getattr(kds, name)(*arguments, ctypes.byref(error)):
            sys.exit(f"{name}: {kds.kds_error_message(error).decode()}")

    context, model, job = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    call("kds_context_new", None, ctypes.byref(context))
    call("kds_model_open", context, b"kds-photo-x4", device.encode(), None, ctypes.byref(model))
    call("kds_job_new", model, ctypes.byref(job))
    for name, value in ((b"particles", b"4"), (b"steps", b"4")):
        call("kds_job_set", job, name, value)
    source, target = (ctypes.c_uint8 * (3 * side * side))(), (ctypes.c_uint8 * (48 * side * side))()
    for index in range(0, len(source), 7):
        source[index] = index % 251

    def image(buffer, width):
        return Image(ctypes.sizeof(Image), RGB_U8, width, width, 3 * width, ctypes.addressof(buffer), len(buffer), 0, 0)

    def run() -> float:
        start = time.perf_counter()
        given, result = image(source, side), image(target, 4 * side)
        call("kds_job_run", job, ctypes.byref(given), None, ctypes.byref(result), None, None, None)
        return time.perf_counter() - start

    run()
    seconds = run()
    # After KDS has opened libtorch's CUDA part.
    import torch
    from torch.profiler import ProfilerActivity

    cuda = device.startswith("cuda")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with torch.profiler.profile(activities=activities, record_shapes=True, with_flops=True) as profiler:
        run()
    averages = profiler.key_averages()
    flops = sum(event.flops for event in averages)
    print(f"{side} x {side} pixels, 4 particles, 4 steps: {seconds:.3f} s, {flops / 1e12:.3f} TFLOP in convolutions and "
          f"products, {flops / seconds / 1e12:.2f} TFLOP/s\n")  # fmt: skip
    key = "self_device_time_total" if cuda else "self_cpu_time_total"
    print(f"```\n{averages.table(sort_by=key, row_limit=25, max_name_column_width=60)}\n```")


if __name__ == "__main__":
    main()
