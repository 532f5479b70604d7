"""Drives the plug-in in VapourSynth: check.py CHECK FOLDER. The folder holds what tests/tests/vapoursynth.rs has put there."""

import ctypes
import os
import signal
import sys
import threading

import vapoursynth as vs

core = vs.core
FOLDER = sys.argv[2]
SETTINGS = dict(particles=2, steps=2, seed=5)
WIDTH, HEIGHT = 24, 18


def raw(name):
    """Red, green, blue of each pixel, 8 bits."""
    with open(os.path.join(FOLDER, name + ".raw"), "rb") as file:
        return file.read()


def clip_of(pixels, width, height, format, length=1, properties={}):
    """A clip of the same picture in every frame."""
    channels = 1 if format in (vs.GRAY8, vs.GRAY16, vs.GRAYS) else 3
    blank = core.std.BlankClip(width=width, height=height, format=format, length=length)

    def fill(n, f):
        frame = f.copy()
        for plane in range(channels):
            samples = memoryview(frame[plane])
            for y in range(height):
                for x in range(width):
                    value = pixels[(y * width + x) * channels + plane]
                    samples[y, x] = {"B": value, "H": value * 257, "f": value / 255}[kind(frame)]
        for name, value in properties.items():
            frame.props[name] = value
        return frame

    return core.std.ModifyFrame(blank, blank, fill)


def kind(frame):
    """Type of the samples, in the letters of the module array."""
    return {1: "B", 2: "H", 4: "f"}[frame.format.bytes_per_sample]


def samples(frame):
    """The samples of each pixel together, from 0 to 255."""
    unit = {"B": 1, "H": 257, "f": 1 / 255}[kind(frame)]
    planes = [memoryview(frame[plane]) for plane in range(frame.format.num_planes)]
    return [
        planes[plane][y, x] / unit
        for y in range(frame.height)
        for x in range(frame.width)
        for plane in range(len(planes))
    ]


def light(value):
    """Light of a value that sRGB encodes."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def encoded(value):
    """Its inverse."""
    return value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def agree(frame, expected):
    ours = samples(frame)
    assert len(ours) == len(expected), (len(ours), len(expected))
    worst = max(abs(a - b) for a, b in zip(ours, expected))
    assert worst <= 1.01, worst


def refused(call, *words):
    try:
        call()
    except vs.Error as error:
        assert all(word in str(error) for word in words), (words, str(error))
    else:
        raise AssertionError(("not refused", words))


def photograph(format=vs.RGBS, length=1, properties={}):
    return clip_of(raw("in"), WIDTH, HEIGHT, format, length, properties)


def workers():
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                line = file.read().decode(errors="replace")
        except OSError:
            continue
        if "--detached" in line and os.environ["XDG_RUNTIME_DIR"] in line:
            found.append(int(process))
    return found


def check_pixels():
    """What `kds` makes of the same pixels, in all formats; other properties stay."""
    for format in vs.RGB24, vs.RGB48, vs.RGBS:
        clip = photograph(format, 2, {"_SARNum": 7, "Scene": "beach"})
        restored = core.kds.Restore(clip, **SETTINGS)
        assert (restored.width, restored.height, restored.format, restored.num_frames) == (24, 18, clip.format, 2)
        frame = restored.get_frame(1)
        agree(frame, raw("restored"))
        assert frame.props["_SARNum"] == 7 and frame.props["Scene"] == "beach", dict(frame.props)
    # Linear light becomes and stays linear.
    linear = [255 * light(value / 255) for value in raw("in")]
    restored = core.kds.Restore(clip_of(linear, WIDTH, HEIGHT, vs.RGBS, 1, {"_Transfer": 8}), **SETTINGS).get_frame(0)
    assert restored.props["_Transfer"] == 8
    ours = [255 * encoded(value / 255) for value in samples(restored)]
    assert max(abs(a - b) for a, b in zip(ours, raw("restored"))) <= 1.01
    upscaled = core.kds.Upscale(photograph(vs.RGB24), **SETTINGS)
    assert (upscaled.width, upscaled.height) == (96, 72)
    agree(upscaled.get_frame(0), raw("upscaled"))
    twice = core.kds.Upscale(photograph(vs.RGB24), scale=2, **SETTINGS)
    assert (twice.width, twice.height) == (48, 36)
    for format in vs.GRAY8, vs.GRAY16, vs.GRAYS:
        agree(core.kds.Restore(clip_of(raw("gray"), WIDTH, HEIGHT, format), **SETTINGS).get_frame(0), raw("gray_restored"))


def check_holes():
    """Holes are filled as `kds` fills them; a mask of one frame serves all."""
    mask = clip_of(raw("mask"), WIDTH, HEIGHT, vs.GRAY8)
    clip = photograph(vs.RGB24, 3)
    filled = core.kds.Inpaint(clip, mask, **SETTINGS)
    for number in 0, 2:
        agree(filled.get_frame(number), raw("filled"))
    before, after, holes = samples(clip.get_frame(0)), samples(filled.get_frame(0)), raw("mask")
    assert all(before[3 * i : 3 * i + 3] == after[3 * i : 3 * i + 3] for i in range(len(holes)) if not holes[i])
    refused(lambda: core.kds.Inpaint(clip), "mask")
    small = core.std.BlankClip(width=8, height=8, format=vs.GRAY8)
    refused(lambda: core.kds.Inpaint(clip, small), "of the clip's size")
    refused(lambda: core.kds.Inpaint(clip, clip), "GRAY8")


def check_errors():
    """Errors name what is wrong and what to do."""
    blank = lambda format: core.std.BlankClip(width=16, height=16, format=format)
    refused(lambda: core.kds.Restore(blank(vs.YUV420P8)), "kds.Restore: the clip is YUV", "format=vs.RGBS, matrix_in_s=")
    refused(lambda: core.kds.Restore(blank(vs.RGB30)), "10-bit integer", "vs.RGB48")
    refused(lambda: core.kds.Restore(blank(vs.RGBH)), "16-bit float", "vs.RGBS")
    mixed = core.std.Splice([blank(vs.RGB24), core.std.BlankClip(width=8, height=8, format=vs.RGB24)], mismatch=True)
    refused(lambda: core.kds.Restore(mixed), "changes from frame to frame")
    refused(lambda: core.kds.Restore(blank(vs.RGBS), model="none"), "no model 'none' for restoration", "kds-photo-x1")
    refused(lambda: core.kds.Restore(blank(vs.RGBS), particles=99), "particles")
    refused(lambda: core.kds.Restore(blank(vs.RGBS), particle=1), "particle")
    refused(lambda: core.kds.Restore(blank(vs.RGBS), device="cuda:99"), "cuda")


def check_parallel():
    """A still clip stays still, whoever asks for which frame when; a frame may have a seed of its own."""
    still = photograph(vs.RGBS, 6)
    clips = [core.kds.Restore(still, **SETTINGS), core.kds.Restore(still, **SETTINGS)]
    futures = [clip.get_frame_async(number) for number in range(6) for clip in clips]
    frames = [bytes(memoryview(future.result()[1])) for future in futures]
    assert len(set(frames)) == 1
    assert len(workers()) == 1, workers()
    own = core.kds.Restore(photograph(properties={"KdsSeed": 6}), **SETTINGS)
    assert bytes(memoryview(own.get_frame(0)[1])) != frames[0]
    same = core.kds.Restore(photograph(properties={"KdsSeed": 5}), particles=2, steps=2, seed=77)
    assert bytes(memoryview(same.get_frame(0)[1])) == frames[0]


def check_killed():
    """A worker that is killed in the middle is an error for that frame alone."""
    first = core.kds.Restore(photograph(vs.RGB24), **SETTINGS).get_frame(0)
    long = core.kds.Restore(photograph(vs.RGB24, 2), particles=8, steps=300)
    future = long.get_frame_async(0)
    [worker] = workers()
    threading.Event().wait(0.5)
    os.kill(worker, signal.SIGKILL)
    refused(future.result, "kds.Restore: frame 0", "worker")
    again = core.kds.Restore(photograph(vs.RGB24), **SETTINGS).get_frame(0)
    assert samples(again) == samples(first)
    assert worker not in workers()


def check_neighbours():
    """A host that has a libtorch of its own, and one that forks."""
    ctypes.CDLL(os.path.join(os.environ["OTHER_LIBTORCH"], "libtorch_cpu.so"), mode=ctypes.RTLD_GLOBAL)
    clip = core.kds.Restore(photograph(vs.RGB24), **SETTINGS)
    agree(clip.get_frame(0), raw("restored"))
    with open("/proc/self/maps") as file:
        assert "libkds.so" not in file.read()
    # VapourSynth's threads do not survive a fork, but what asks the worker without them must.
    before = core.kds.Models()
    child = os.fork()
    if child == 0:
        os._exit(0 if core.kds.Models() == before else 1)
    assert core.kds.Models() == before
    assert os.waitpid(child, 0)[1] == 0
    agree(core.kds.Restore(photograph(vs.RGB24), **SETTINGS).get_frame(0), raw("restored"))


def check_descriptions():
    """Models, version, and what the functions take."""
    models = core.kds.Models()
    text = lambda value: value.decode() if isinstance(value, bytes) else value
    listed = dict(zip(map(text, models["id"]), zip(map(text, models["task"]), models["scale"])))
    assert listed["kds-photo-x4"] == ("super-resolution", 4) and listed["kds-inpaint"] == ("inpainting", 1), listed
    version = core.kds.Version()
    assert text(version) == os.environ["VERSION"], version
    functions = {function.name for function in core.kds.functions()}
    assert functions == {"Restore", "Upscale", "Inpaint", "Models", "Version"}
    # Opened and closed, as programs do that look for plug-ins.
    dlclose = ctypes.CDLL(None).dlclose
    dlclose.argtypes = [ctypes.c_void_p]
    for _ in range(10):
        library = ctypes.CDLL(os.environ["PLUGIN"])
        assert library.VapourSynthPluginInit2 and dlclose(library._handle) == 0


def check_installed():
    """VapourSynth has found the plug-in by itself, and that the command and the library that belong to it."""
    agree(core.kds.Restore(photograph(vs.RGB24), **SETTINGS).get_frame(0), raw("restored"))
    [worker] = workers()
    with open(f"/proc/{worker}/maps") as file:
        libraries = {line.split()[-1] for line in file if "libkds.so" in line}
    assert all(library.startswith(os.path.realpath(os.environ["EXPECTED"])) for library in libraries), libraries
    os.kill(worker, signal.SIGTERM)


if "PLUGIN" in os.environ and not hasattr(core, "kds"):
    core.std.LoadPlugin(path=os.environ["PLUGIN"])
globals()["check_" + sys.argv[1]]()
