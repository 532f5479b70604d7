"""Makes the JPEG XL files of the tests, `tests/data/jxl`, by libjxl's `cjxl` (Debian: libjxl-tools); needs Pillow and numpy.

    python3 tools/examples/jxl.py tests/data/jxl
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from PIL import Image, ImageCms

WIDTH, HEIGHT = 40, 30


def pixels() -> numpy.ndarray:
    """The picture that the tests know by the same formula."""
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    return numpy.stack([40 + 4 * x, 60 + 5 * y, x * y % 97], -1).astype(numpy.uint8)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    colours = pixels()
    alpha = (255 - 3 * colours[..., 2].astype(int)).clip(0, 255).astype(numpy.uint8)
    orientation = Image.Exif()
    orientation[0x0112] = 6
    orientation[0x010F] = "Maker of the camera"
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)

        def encode(source: str, target: str, *options: str) -> None:
            subprocess.run(["cjxl", str(work / source), str(folder / target), "--quiet", *options], check=True)

        Image.fromarray(colours).save(work / "rgb.png")
        encode("rgb.png", "rgb.jxl", "-d", "0")
        encode("rgb.png", "lossy.jxl", "-d", "1")
        # As the reference decoder sees it.
        subprocess.run(["djxl", str(folder / "lossy.jxl"), str(folder / "lossy.png"), "--quiet"], check=True)
        encode("rgb.png", "container.jxl", "-d", "0", "--container=1")
        Image.fromarray(numpy.dstack([colours, alpha])).save(work / "alpha.png")
        encode("alpha.png", "alpha.jxl", "-d", "0")
        Image.fromarray((colours[..., 0].astype(numpy.uint16) * 257)).save(work / "grey16.png")
        encode("grey16.png", "grey16.jxl", "-d", "0")
        light = (colours.astype("<f4") / 255)[::-1]
        (work / "light.pfm").write_bytes(b"PF\n%d %d\n-1.0\n" % (WIDTH, HEIGHT) + light.tobytes())
        encode("light.pfm", "float.jxl", "-d", "0")
        # Turned pixels, whose EXIF block says so.
        Image.fromarray(colours).save(work / "exif.png", exif=orientation)
        encode("exif.png", "exif.jxl", "-d", "0")
        # cjxl leaves the boxes of metadata out.
        exif = bytes(4) + orientation.tobytes().removeprefix(b"Exif\0\0")
        packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'
        with (folder / "exif.jxl").open("ab") as file:
            for kind, content in ((b"Exif", exif), (b"xml ", packet)):
                file.write((8 + len(content)).to_bytes(4, "big") + kind + content)
        frames = [Image.fromarray(colours), Image.fromarray(255 - colours)]
        frames[0].save(work / "moving.png", save_all=True, append_images=frames[1:], duration=100)
        encode("moving.png", "moving.jxl", "-d", "0")
        encode("rgb.png", "p3.jxl", "-d", "0", "-x", "color_space=RGB_D65_DCI_Per_SRG")
        encode("rgb.png", "pq.jxl", "-d", "0", "-x", "color_space=RGB_D65_202_Rel_PeQ")
        grey = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        Image.fromarray(colours).save(work / "profile.png", icc_profile=grey)
        encode("profile.png", "profile.jxl", "-d", "0")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
