//! Square windows of tokens, and attention within them: what the Swin transformers have in common (Liu et al., ICCV 2021).

use tch::{Device, Kind, Tensor};

use super::Scope;
use crate::Result;

/// The partition of an image of tokens into windows, which may be shifted cyclically.
pub(crate) struct Windows {
    /// Tokens along a side of a window.
    pub side: i64,
    /// Tokens by which the image is moved up and left before it is cut, less than a side.
    pub shift: i64,
}

impl Windows {
    /// `B x H x W x C`, sides multiples of the window's, to `(B · windows) x side² x C`.
    pub fn cut(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, height, width, channels) = x.size4()?;
        let side = self.side;
        let moved = if self.shift > 0 { x.f_roll([-self.shift; 2], [1, 2])? } else { x.shallow_clone() };
        let rows = moved.f_reshape([batch, height / side, side, width / side, side, channels])?;
        Ok(rows.f_permute([0, 1, 3, 2, 4, 5])?.f_reshape([-1, side * side, channels])?)
    }

    /// The inverse of [`Windows::cut`].
    pub fn join(&self, windows: &Tensor, height: i64, width: i64) -> Result<Tensor> {
        let (_, _, channels) = windows.size3()?;
        let side = self.side;
        let rows = windows.f_reshape([-1, height / side, width / side, side, side, channels])?;
        let moved = rows.f_permute([0, 1, 3, 2, 4, 5])?.f_reshape([-1, height, width, channels])?;
        Ok(if self.shift > 0 { moved.f_roll([self.shift; 2], [1, 2])? } else { moved })
    }

    /// Added to the scores of attention, `windows x side² x side²`: `hidden` between tokens of one window that the shift has
    /// brought together from opposite edges of the image, 0 elsewhere. `None` without a shift.
    pub fn mask(&self, height: i64, width: i64, hidden: f64, options: (Kind, Device)) -> Result<Option<Tensor>> {
        if self.shift == 0 {
            return Ok(None);
        }
        let regions = |length: i64| {
            let region = |place: i64| i64::from(place >= length - self.side) + i64::from(place >= length - self.shift);
            let regions: Vec<i64> = (0..length).map(region).collect();
            Tensor::f_from_slice(&regions)
        };
        let (rows, columns) = (regions(height)?.f_view([1, height, 1, 1])?, regions(width)?.f_view([1, 1, width, 1])?);
        let regions = rows.f_mul_scalar(3)?.f_add(&columns)?;
        let regions = Self { shift: 0, ..*self }.cut(&regions)?.f_squeeze_dim(2)?.f_to_device(options.1)?;
        let apart = regions.f_unsqueeze(1)?.f_ne_tensor(&regions.f_unsqueeze(2)?)?;
        Ok(Some(Tensor::f_zeros(apart.size(), options)?.f_masked_fill(&apart, hidden)?))
    }
}

/// The learned bias of each pair of places in a window, `heads x side² x side²`, of a table that has it for each difference
/// of places: `(2 side - 1)² x heads`, rows of the image first.
pub(crate) fn relative_bias(table: &Tensor, side: i64) -> Result<Tensor> {
    let places = || (0..side).flat_map(|row| (0..side).map(move |column| (row, column)));
    let index: Vec<i64> = places()
        .flat_map(|(row, column)| {
            places().map(move |(to_row, to_column)| {
                (row - to_row + side - 1) * (2 * side - 1) + column - to_column + side - 1
            })
        })
        .collect();
    let index = Tensor::f_from_slice(&index)?.f_to_device(table.device())?;
    let tokens = side * side;
    Ok(table.f_index_select(0, &index)?.f_transpose(0, 1)?.f_contiguous()?.f_view([-1, tokens, tokens])?)
}

/// Self-attention within windows: queries, keys and values side by side, `windows x T x 3C`, to `windows x T x C`. `bias` is
/// `heads x T x T`; `mask`, `n x T x T`, of the n windows of each image.
pub(crate) fn attend_within(qkv: &Tensor, heads: i64, bias: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let (windows, tokens, channels) = qkv.size3()?;
    let channels = channels / 3;
    let parts = qkv.f_reshape([windows, tokens, 3, heads, channels / heads])?.f_permute([2, 0, 3, 1, 4])?;
    let part = |index| parts.f_select(0, index);
    let mut scores = bias.f_unsqueeze(0)?;
    if let Some(mask) = mask {
        let (each, ..) = mask.size3()?;
        scores = scores.f_add(&mask.f_unsqueeze(1)?)?;
        // One image needs no copy of it.
        let batch = windows / each;
        scores = scores.f_unsqueeze(0)?.f_expand([batch, -1, -1, -1, -1], false)?;
        scores = scores.f_reshape([windows, heads, tokens, tokens])?;
    }
    let (query, key, value) = (part(0)?, part(1)?, part(2)?);
    let no_scale = None::<f64>;
    let mixed =
        Tensor::f_scaled_dot_product_attention(&query, &key, &value, Some(&scores), 0.0, false, no_scale, false)?;
    Ok(mixed.f_transpose(1, 2)?.f_reshape([windows, tokens, channels])?)
}

/// Refuses a number of heads that does not divide the channels.
pub(crate) fn check_heads(scope: &Scope, channels: i64, heads: i64) -> Result<()> {
    if heads < 1 || channels % heads != 0 {
        return Err(scope.error(format!("{channels} channels cannot be divided among {heads} attention heads")));
    }
    Ok(())
}
