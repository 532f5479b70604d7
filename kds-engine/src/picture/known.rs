//! The picture as the network sees it.

use tch::{Device, Tensor};

use crate::computing::values::Values;
use crate::picture::grey;
use crate::picture::resize::resize;
use crate::picture::{Picture, Source};
use crate::tiling::Tile;
use crate::{Error, Result, alpha, device, holes, memory};

/// The picture with its transparent parts and its holes filled from what is around them, so that nothing hidden there
/// can show in the result.
pub struct Known {
    /// Pixels along the upper edge.
    pub width: usize,
    /// Pixels along the left edge.
    pub height: usize,
    /// Planes of red, green and blue in 0..1.
    values: Vec<f32>,
    /// 1 in the holes, 0 elsewhere.
    hole: Option<Vec<f32>>,
    /// The whole picture has no colour.
    pub grey: bool,
}

impl Known {
    /// Checks and fills a picture.
    ///
    /// # Errors
    /// [`Error::Image`] for a picture, alpha or mask that has not the right number of values or has values that are no
    /// numbers, [`Error::OutOfMemory`].
    pub fn new(source: Source<'_>) -> Result<Self> {
        let Source { picture: &Picture { width, height, ref values }, alpha, mask } = source;
        let planes = [("image", 3, Some(&values[..])), ("alpha", 1, alpha), ("mask", 1, mask)];
        for (name, per_pixel, values) in
            planes.into_iter().filter_map(|(name, count, values)| Some((name, count, values?)))
        {
            if Some(values.len()) != width.checked_mul(height).and_then(|pixels| pixels.checked_mul(per_pixel)) {
                let count = values.len();
                return Err(Error::Image(format!("the {name} has {count} values, not {per_pixel} per pixel")));
            }
            if !values.iter().all(|value| value.is_finite()) {
                return Err(Error::Image(format!("the {name} has values that are not finite numbers")));
            }
        }
        let hole =
            mask.map(|mask| collected(mask.len(), mask.iter().map(|share| f32::from(*share > 0.0)))).transpose()?;
        let size = |planes: i64| [1, planes, height as i64, width as i64];
        let hidden = alpha.filter(|alpha| alpha.iter().any(|alpha| *alpha <= 0.0));
        let mut values = collected(values.len(), values.iter().map(|value| value.clamp(0.0, 1.0)))?;
        if hidden.is_some() || hole.is_some() {
            let mut filled = Tensor::f_from_slice(&values)?.f_reshape(size(3))?;
            if let Some(alpha) = hidden {
                filled = alpha::fill_transparent(&filled, &Tensor::f_from_slice(alpha)?.f_reshape(size(1))?)?;
            }
            if let Some(hole) = &hole {
                filled = holes::fill(&filled, &Tensor::f_from_slice(hole)?.f_reshape(size(1))?)?;
            }
            values.copy_from_slice(Values::of(&filled)?.as_slice());
        }
        let grey = grey::is_grey(&values);
        Ok(Self { width, height, values, hole, grey })
    }

    /// The smallest part that holds all holes and `context` pixels around them, and where it begins; `None` where there
    /// is nothing to fill.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub fn around_holes(&self, context: usize) -> Result<Option<(Self, (usize, usize))>> {
        let Some(hole) = &self.hole else { return Ok(None) };
        let inside = || (0..hole.len()).filter(|index| hole[*index] > 0.0);
        let extent = |position: &dyn Fn(usize) -> usize, length: usize| {
            let (first, last) = (inside().map(position).min()?, inside().map(position).max()?);
            Some(first.saturating_sub(context)..(last + 1 + context).min(length))
        };
        let columns = extent(&|index| index % self.width, self.width);
        let rows = extent(&|index| index / self.width, self.height);
        let (Some(columns), Some(rows)) = (columns, rows) else { return Ok(None) };
        let cut = |planes: &[f32]| {
            let whole = self.width * self.height;
            let parts = planes.chunks_exact(whole);
            let parts = parts.flat_map(|plane| rows.clone().flat_map(|y| &plane[y * self.width..][columns.clone()]));
            collected(planes.len() / whole * rows.len() * columns.len(), parts.copied())
        };
        let part = Self {
            width: columns.len(),
            height: rows.len(),
            values: cut(&self.values)?,
            hole: Some(cut(hole)?),
            grey: self.grey,
        };
        Ok(Some((part, (columns.start, rows.start))))
    }

    /// Without holes, in another size.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub fn resized(&self, width: usize, height: usize) -> Result<Self> {
        let values = resize(&self.values, (self.width, self.height), (width, height))?;
        Ok(Self { width, height, values, hole: None, grey: self.grey })
    }

    /// All pixels, `1 x 3 x h x w` in -1..1.
    pub fn whole(&self, device: Device) -> Result<Tensor> {
        let image = Tensor::f_from_slice(&self.values)?.f_reshape([1, 3, self.height as i64, self.width as i64])?;
        Ok(device::upload(&image, device)?.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?)
    }

    /// The pixels under a tile, `1 x 3 x h x w` in -1..1, and its hole, `1 x 1 x h x w`; beyond the picture its edge is
    /// repeated.
    pub fn tile(&self, tile: &Tile, device: Device) -> Result<(Tensor, Option<Tensor>)> {
        let image = self.cut(&self.values, tile)?.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?;
        let image = device::upload(&image, device)?;
        let Some(hole) = &self.hole else { return Ok((image, None)) };
        Ok((image, Some(device::upload(&self.cut(hole, tile)?, device)?)))
    }

    fn cut(&self, values: &[f32], tile: &Tile) -> Result<Tensor> {
        let (width, height) = (self.width, self.height);
        let mut pixels = memory::reserved(values.len() / (width * height) * tile.area())?;
        for plane in values.chunks_exact(width * height) {
            for row in tile.y.start..tile.y.start + tile.y.length {
                let row = &plane[row.min(height - 1) * width..][..width];
                let columns = tile.x.start..tile.x.start + tile.x.length;
                pixels.extend(columns.map(|column| row[column.min(width - 1)]));
            }
        }
        let size = [1, -1, tile.y.length as i64, tile.x.length as i64];
        Ok(Tensor::f_from_slice(&pixels)?.f_reshape(size)?)
    }
}

/// So many values; without memory for them an error, where `collect` would abort the process.
fn collected(count: usize, values: impl Iterator<Item = f32>) -> Result<Vec<f32>> {
    let mut collected = memory::reserved(count)?;
    collected.extend(values.take(count));
    Ok(collected)
}
