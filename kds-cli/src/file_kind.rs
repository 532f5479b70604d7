//! The formats of files that are written, and what they hold.

use std::path::Path;

use kds_host::Depth;

use crate::{shown, usage::UsageError};

/// Formats that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// 8 or 16 bits, with alpha.
    Png,
    /// 8 bits, without alpha.
    Jpeg,
    /// 8 bits, with alpha; written without loss.
    WebP,
    /// 8 or 16 bits, or floating point, with alpha.
    Tiff,
    /// Floating point, with alpha.
    Exr,
}

impl FileKind {
    /// The endings of file names, in words.
    pub const EXTENSIONS: &str = "png, jpg, jpeg, webp, tif, tiff or exr";

    /// The format that the file's name stands for.
    ///
    /// # Errors
    /// When the name has no ending, or another one.
    pub fn of(path: &Path) -> Result<Self, UsageError> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        match extension.as_str() {
            "png" => Ok(Self::Png),
            "jpg" | "jpeg" | "jpe" | "jfif" => Ok(Self::Jpeg),
            "webp" => Ok(Self::WebP),
            "tif" | "tiff" => Ok(Self::Tiff),
            "exr" => Ok(Self::Exr),
            _ => Err(UsageError(format!(
                "{}: '{extension}' is no format that can be written; end the name in {}",
                shown::path(path),
                Self::EXTENSIONS
            ))),
        }
    }

    /// The formats by name, for an option that chooses one, and another name for some.
    pub const NAMES: [(&str, Option<&str>, Self); 5] = [
        ("png", None, Self::Png),
        ("jpeg", Some("jpg"), Self::Jpeg),
        ("webp", None, Self::WebP),
        ("tiff", Some("tif"), Self::Tiff),
        ("exr", None, Self::Exr),
    ];

    /// The format of this name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::NAMES.into_iter().find(|(first, other, _)| *first == name || *other == Some(name));
        found.map(|(_, _, kind)| kind)
    }

    /// The usual ending of its files' names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
            Self::Tiff => "tif",
            Self::Exr => "exr",
        }
    }

    /// The bit depth in which a picture of this depth is written: its own where the format has it.
    pub fn depth(self, depth: Depth) -> Depth {
        match (self, depth) {
            (Self::Exr, _) | (Self::Tiff, Depth::F32) => Depth::F32,
            (Self::Jpeg | Self::WebP, _) | (_, Depth::U8) => Depth::U8,
            (Self::Png | Self::Tiff, Depth::U16 | Depth::F32) => Depth::U16,
        }
    }

    /// Loss of precision for samples of this depth.
    pub fn loss(self, depth: Depth) -> Option<&'static str> {
        match (depth, self.depth(depth)) {
            (Depth::U16, Depth::U8) => Some("16 bits are cut to the 8 of this format; write PNG or TIFF to keep them"),
            (Depth::F32, Depth::U8 | Depth::U16) => {
                Some("floating-point values are cut to the range from 0 to 1; write TIFF or OpenEXR to keep them")
            }
            _ => None,
        }
    }

    /// Checks that a file of this format can hold so many pixels.
    ///
    /// # Errors
    /// When a side is too long for the format.
    pub fn check_size(self, path: &Path, width: u32, height: u32) -> anyhow::Result<()> {
        let (name, max) = match self {
            Self::Jpeg => ("JPEG", 65_535),
            Self::WebP => ("WebP", 16_384),
            Self::Png | Self::Tiff | Self::Exr => return Ok(()),
        };
        if width.max(height) <= max {
            return Ok(());
        }
        anyhow::bail!(
            "{}: a {name} file holds at most {max} pixels a side, and the picture has {width}x{height}; write PNG or TIFF",
            shown::path(path)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide_the_format() {
        assert_eq!(FileKind::of(Path::new("a/B.JPEG")).unwrap(), FileKind::Jpeg);
        for name in ["a.gif", "a", "png"] {
            let message = FileKind::of(Path::new(name)).unwrap_err().to_string();
            assert!(message.contains(FileKind::EXTENSIONS), "{message}");
        }
    }

    #[test]
    fn sides_too_long_are_found_before() {
        assert!(FileKind::Jpeg.check_size(Path::new("x.jpg"), 65_535, 1).is_ok());
        assert!(FileKind::Jpeg.check_size(Path::new("x.jpg"), 1, 65_536).is_err());
        assert!(FileKind::WebP.check_size(Path::new("x.webp"), 16_385, 1).is_err());
        assert!(FileKind::Png.check_size(Path::new("x.png"), 70_000, 1).is_ok());
    }
}
