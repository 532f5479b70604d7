//! Planes in another size, bicubically and without aliasing, as Pillow and torch do it.

use tch::Tensor;

use crate::Result;
use crate::computing::values::Values;
use crate::memory;

/// Planes in 0..1, one after the other, from one width and height to another.
///
/// # Errors
/// Where there is no memory for it.
pub fn resize(planes: &[f32], from: (usize, usize), to: (usize, usize)) -> Result<Vec<f32>> {
    let sizes = [from.1 as i64, from.0 as i64];
    let planes = Tensor::f_from_slice(planes)?.f_reshape([1, -1, sizes[0], sizes[1]])?;
    let resized =
        planes.f_internal_upsample_bicubic2d_aa([to.1 as i64, to.0 as i64], false, None::<f64>, None::<f64>)?;
    let resized = Values::of(&resized.f_clamp(0.0, 1.0)?)?;
    let mut values = memory::reserved(resized.as_slice().len())?;
    values.extend_from_slice(resized.as_slice());
    Ok(values)
}
