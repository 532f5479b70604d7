//! Floating-point pixels that travel beside the model, and are enlarged with it.

use kds_host::Enlargement;

/// Rows of floating-point pixels that can be enlarged.
pub struct Rows {
    /// Row by row.
    pub samples: Vec<f32>,
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Channels of a pixel.
    pub channels: usize,
}

impl Rows {
    /// Row `y` of an enlargement from this size.
    pub fn enlarged(&self, enlargement: &Enlargement, y: usize) -> Vec<f32> {
        let line = self.width * self.channels;
        enlargement.row(y, self.channels, |y| &self.samples[y * line..][..line])
    }
}
