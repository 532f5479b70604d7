#!/usr/bin/env python3
"""Restores all PNG and JPEG pictures of a folder with GIMP 2.10, and writes them as PNG into another one:

    restore_folder_2_10.py photos restored [particles=8] [steps=16] [seed=1] ...

Python inside of GIMP 2.10 is Python 2, which Debian 12 no longer has. So this is Python 3 outside of GIMP: it writes a
Script-Fu program, has GIMP run it, and looks at what was written, since the exit code of GIMP 2.10 says nothing.
"""

import collections
import subprocess
import sys
import tempfile
from pathlib import Path

ENDINGS = {".png", ".jpg", ".jpeg"}
# Arguments of plug-in-kds-restore after the layer, in their order.
DEFAULTS = {
    "model": "", "particles": 0, "steps": 0, "strength": -1, "bandwidth": "", "seed": 0, "device": "auto", "output": 0,
    "confidence": 0, "preset": 0, "favour": 0, "amount": 100, "scale": 0,
}


def scheme(value):
    """A value as Script-Fu reads it."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def program(path, result, settings):
    """What restores one picture. GIMP loads it upright, as its EXIF says."""
    arguments = " ".join(scheme(value) for value in {**DEFAULTS, **settings}.values())
    path, result = scheme(str(path)), scheme(str(result))
    return f"""
(let* ((image (car (gimp-file-load RUN-NONINTERACTIVE {path} {path})))
       (layer (car (gimp-image-get-active-layer image))))
  (if (= INDEXED (car (gimp-image-base-type image))) (gimp-image-convert-rgb image))
  (plug-in-kds-restore RUN-NONINTERACTIVE image layer {arguments})
  (file-png-save-defaults RUN-NONINTERACTIVE image layer {result} {result})
  (gimp-image-delete image))"""


def pictures(folder):
    """Its pictures, less those that are hidden."""
    found = [path for path in sorted(Path(folder).iterdir()) if path.suffix.lower() in ENDINGS and path.is_file()]
    return [path for path in found if not path.name.startswith(".")]


def results(paths, target):
    """What `kds restore photos -o restored --format png` calls the results: a.b.jpg becomes a.b.png, but a.b.jpg.png where
    there is another a.b.png."""
    first = {path: path.name if path.suffix.lower() == ".png" else path.stem + ".png" for path in paths}
    wanted = collections.Counter(first.values())
    names = {path: name if name == path.name or wanted[name] == 1 else path.name + ".png" for path, name in first.items()}
    return {path: Path(target) / name for path, name in names.items()}


def restore_folder(source, target, **settings):
    source, target = Path(source).resolve(), Path(target).resolve()
    if source == target:
        raise SystemExit("the results would replace the pictures: name another folder")
    command = ["gimp-console-2.10", "-i", "-d", "-f"]
    written = results(pictures(source), target)
    with tempfile.TemporaryDirectory() as folder:
        for number, (path, result) in enumerate(written.items()):
            result.unlink(missing_ok=True)
            file = Path(folder) / f"{number}.scm"
            file.write_text(program(path, result, settings), encoding="utf-8")
            # What fails in one does not end the others.
            command += ["-b", f"(load {scheme(str(file))})"]
        gimp = subprocess.run([*command, "-b", "(gimp-quit 1)"], capture_output=True, text=True)
    missing = [path for path, result in written.items() if not result.exists()]
    if missing:
        raise SystemExit(f"not restored: {', '.join(map(str, missing))}; GIMP said:\n{gimp.stdout}{gimp.stderr}")


def main():
    source, target, *settings = sys.argv[1:]
    changes = {}
    for name, value in (setting.split("=", 1) for setting in settings):
        changes[name] = type(DEFAULTS[name])(value)
    restore_folder(source, target, **changes)


if __name__ == "__main__":
    main()
