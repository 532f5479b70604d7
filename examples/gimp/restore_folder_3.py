"""Restores all PNG and JPEG pictures of a folder with GIMP 3, and writes them as PNG into another one:

    PYTHONPATH=/where/it/is gimp-console-3.0 -i -d -f --quit --batch-interpreter=python-fu-eval \
        -b 'from restore_folder_3 import restore_folder; restore_folder("/photos", "/restored")'

Further arguments are those of the procedure: restore_folder("/photos", "/restored", particles=8, seed=1).
"""

from pathlib import Path

from gi.repository import Gimp, Gio

ENDINGS = {".png", ".jpg", ".jpeg"}


def restore_folder(source, target, **settings):
    pictures = [path for path in sorted(Path(source).iterdir()) if path.suffix.lower() in ENDINGS]
    for path in pictures:
        image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(str(path)))
        restore(image, settings)
        written = Gio.File.new_for_path(str(Path(target) / (path.stem + ".png")))
        Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, written, None)
        image.delete()
        print(f"{path} is restored")


def restore(image, settings):
    """Restores the uppermost layer of an image."""
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-kds-restore")
    if procedure is None:
        raise RuntimeError("GIMP has no plug-in-kds-restore: run `cargo xtask install --gimp`")
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    config.set_property("image", image)
    config.set_core_object_array("drawables", image.get_layers()[:1])
    for name, value in settings.items():
        config.set_property(name, value)
    result = procedure.run(config)
    if result.index(0) != Gimp.PDBStatusType.SUCCESS:
        raise RuntimeError(Gimp.get_pdb().get_last_error())
