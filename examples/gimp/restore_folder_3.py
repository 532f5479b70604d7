"""Restores all PNG and JPEG pictures of a folder with GIMP 3, and writes them as PNG into another one:

    PYTHONPATH=/where/it/is gimp-console-3.0 -i -d -f --quit --batch-interpreter=python-fu-eval \
        -b 'from restore_folder_3 import restore_folder; restore_folder("/photos", "/restored")'

Further arguments are those of the procedure: restore_folder("/photos", "/restored", particles=8, seed=1). A picture that fails
does not keep the others from being restored; it is in the error at the end.
"""

import collections
from pathlib import Path

from gi.repository import Gimp, Gio

ENDINGS = {".png", ".jpg", ".jpeg"}


def restore_folder(source, target, **settings):
    if Path(source).resolve() == Path(target).resolve():
        raise RuntimeError("the results would replace the pictures: name another folder")
    failed = []
    for path, result in results(pictures(source), target).items():
        try:
            restore_file(path, result, settings)
            print(f"{path} is restored")
        except Exception as failure:
            failed.append(f"{path}: {failure}")
    if failed:
        raise RuntimeError("\n".join(["not restored:", *failed]))


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


def restore_file(path, result, settings):
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(str(path)))
    try:
        image.policy_rotate(False)  # upright, as its EXIF says
        if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
            image.convert_rgb()
        call("plug-in-kds-restore", image, drawables=image.get_layers()[:1], **settings)
        kept = {f"include-{what}": True for what in ("color-profile", "exif", "iptc", "xmp", "comment")}
        call("file-png-export", image, file=Gio.File.new_for_path(str(result)), **kept)
    finally:
        image.delete()


def call(name, image, **arguments):
    """Calls a procedure without a window."""
    procedure = Gimp.get_pdb().lookup_procedure(name)
    if procedure is None:
        raise RuntimeError(f"GIMP has no {name}; if that is of KDS, install it: see docs/installing.md")
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    config.set_property("image", image)
    for argument, value in arguments.items():
        if argument == "drawables":
            config.set_core_object_array(argument, value)
        else:
            config.set_property(argument, value)
    result = procedure.run(config)
    if result.index(0) != Gimp.PDBStatusType.SUCCESS:
        raise RuntimeError(Gimp.get_pdb().get_last_error())
