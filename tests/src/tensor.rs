//! 8-bit images to tensors and back.

use image::RgbImage;
use tch::{Kind, TchError, Tensor};

/// The image as 1 x 3 x height x width f32 in [-1, 1].
pub fn from_image(image: &RgbImage) -> Result<Tensor, TchError> {
    let (width, height) = image.dimensions();
    Tensor::f_from_slice(image.as_raw())?
        .f_view([1, i64::from(height), i64::from(width), 3])?
        .f_permute([0, 3, 1, 2])?
        .f_to_kind(Kind::Float)?
        .f_div_scalar(127.5)?
        .f_sub_scalar(1.0)
}

/// The image of a 1 x 3 x height x width tensor in [-1, 1], clamped and rounded to 8 bits.
pub fn to_image(tensor: &Tensor) -> Result<RgbImage, TchError> {
    let (_, _, height, width) = tensor.size4()?;
    let bytes = tensor
        .f_add_scalar(1.0)?
        .f_mul_scalar(127.5)?
        .f_round()?
        .f_clamp(0.0, 255.0)?
        .f_to_kind(Kind::Uint8)?
        .f_permute([0, 2, 3, 1])?
        .f_contiguous()?
        .f_view([-1])?;
    let shape = || TchError::Shape(format!("{:?} is no 1 x 3 x height x width image", tensor.size()));
    let bytes = Vec::<u8>::try_from(&bytes)?;
    let (width, height) = (u32::try_from(width).map_err(|_| shape())?, u32::try_from(height).map_err(|_| shape())?);
    RgbImage::from_raw(width, height, bytes).ok_or_else(shape)
}
