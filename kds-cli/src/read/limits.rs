//! Limits on what a file may claim, checked before memory is taken.

use anyhow::{anyhow, bail};

/// Most bytes that a decoded picture may take. A crafted file of a few bytes can claim any size.
pub const MOST_BYTES: u64 = 2 << 30;

/// Every pixel counts as 16 bits of three channels, however few the file has: the model works on three channels of
/// floating-point numbers, so grey pixels are no cheaper. With [`MOST_BYTES`] these are 357 megapixels.
const LEAST_BYTES_PER_PIXEL: u64 = 6;

/// Limits of a decoder.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most bytes of decoded pixels.
    pub most_bytes: u64,
}

impl Limits {
    /// Checks a size that a file claims.
    ///
    /// # Errors
    /// When there are no pixels, or too many.
    pub fn check(self, width: u32, height: u32, bytes_per_pixel: usize) -> anyhow::Result<()> {
        if width == 0 || height == 0 {
            bail!("has no pixels ({width}x{height}); replace it by an intact copy");
        }
        let each = (bytes_per_pixel as u64).max(LEAST_BYTES_PER_PIXEL);
        let bytes = u128::from(width) * u128::from(height) * u128::from(each);
        if bytes > u128::from(self.most_bytes) {
            bail!(
                "is too large: {width}x{height} pixels, and at most {} megapixels like these are read; cut it into parts",
                self.most_bytes / each / 1_000_000
            );
        }
        Ok(())
    }

    /// The refusal where a decoder itself finds that it would need too much memory.
    pub fn exceeded(self) -> anyhow::Error {
        anyhow!("is too large: its pixels take more than {} MiB; cut it into parts", self.most_bytes >> 20)
    }

    /// The same for the decoders of `image`.
    pub fn for_image(self) -> image::Limits {
        let mut limits = image::Limits::default();
        limits.max_alloc = Some(self.most_bytes);
        limits
    }
}
