#!/usr/bin/env python3
"""Restores all PNG and JPEG pictures of a folder with GIMP 2.10, and writes them as PNG into another one:

    restore_folder_2_10.py photos restored [particles=8] [steps=16] [seed=1] ...

Python inside of GIMP 2.10 is Python 2, which Debian 12 no longer has. So this is Python 3 outside of GIMP: it writes a
Script-Fu program, has GIMP run it, and looks at what was written, since the exit code of GIMP 2.10 says nothing.
"""

import subprocess
import sys
from pathlib import Path

ENDINGS = {".png", ".jpg", ".jpeg"}
# Arguments of plug-in-kds-restore after the layer, in their order.
DEFAULTS = {
    "model": "", "particles": 0, "steps": 0, "strength": -1, "bandwidth": "", "seed": 0, "device": "auto", "output": 0,
    "confidence": 0,
}


def scheme(value):
    """A value as Script-Fu reads it."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def program(path, result, settings):
    """What restores one picture."""
    arguments = " ".join(scheme(value) for value in {**DEFAULTS, **settings}.values())
    path, result = scheme(str(path)), scheme(str(result))
    return f"""
(let* ((image (car (gimp-file-load RUN-NONINTERACTIVE {path} {path})))
       (layer (car (gimp-image-get-active-layer image))))
  (plug-in-kds-restore RUN-NONINTERACTIVE image layer {arguments})
  (file-png-save-defaults RUN-NONINTERACTIVE image layer {result} {result})
  (gimp-image-delete image))"""


def restore_folder(source, target, **settings):
    pictures = [path.resolve() for path in sorted(Path(source).iterdir()) if path.suffix.lower() in ENDINGS]
    target = Path(target).resolve()
    results = {path: target / (path.stem + ".png") for path in pictures}
    command = ["gimp-console-2.10", "-i", "-d", "-f"]
    for path, result in results.items():
        result.unlink(missing_ok=True)
        command += ["-b", program(path, result, settings)]
    gimp = subprocess.run([*command, "-b", "(gimp-quit 1)"], capture_output=True, text=True)
    missing = [path for path, result in results.items() if not result.exists()]
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
