//! Colours of the input for the restored picture: diffusion shifts them, and a degraded picture has them right at large
//! scales. Two corrections that restorers built on Stable Diffusion use (XPixelGroup/DiffBIR 3f8b530: `diffbir/utils/common.py`;
//! cswry/SeeSR 8edecc7: `utils/wavelet_color_fix.py`).

use serde::Deserialize;
use tch::{Kind, Tensor};

use crate::Result;
use crate::computing::filter::separable;

/// Colour correction of a restored picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColourTransfer {
    /// It keeps its own colours.
    None,
    /// [`wavelet`].
    Wavelet,
    /// [`adain`].
    Adain,
}

impl ColourTransfer {
    /// `picture` with what it gets of `colours`: both `N x 3 x H x W` in -1..1, of one size, on one device, in f32.
    pub fn apply(self, picture: &Tensor, colours: &Tensor) -> Result<Tensor> {
        // The variance of AdaIN has a lower bound that counts in 0..1.
        let unit = |x: &Tensor| x.f_add_scalar(1.0)?.f_div_scalar(2.0);
        match self {
            Self::None => Ok(picture.shallow_clone()),
            Self::Wavelet => wavelet(picture, colours),
            Self::Adain => Ok(adain(&unit(picture)?, &unit(colours)?)?.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?),
        }
    }
}

/// The à-trous decomposition: so many passes of a binomial kernel, each twice as far apart as the one before.
const LEVELS: u32 = 5;

/// `picture` with the low frequencies of `colours`: both `N x C x H x W`, of one size, on one device, in f32. What is
/// narrower than about 30 pixels stays.
pub fn wavelet(picture: &Tensor, colours: &Tensor) -> Result<Tensor> {
    // The sum of the high frequencies is the picture less its low ones, and the low ones of a difference are the difference
    // of the low ones.
    Ok(picture.f_add(&low_frequencies(&colours.f_sub(picture)?)?)?)
}

fn low_frequencies(x: &Tensor) -> Result<Tensor> {
    (0..LEVELS).try_fold(x.shallow_clone(), |low, level| separable(&low, &[1.0, 2.0, 1.0], 1 << level))
}

/// Added to the variance of each channel.
const EPS: f64 = 1e-5;

/// `picture` with the mean and the standard deviation of each channel of `colours`: adaptive instance normalisation (Huang &
/// Belongie, ICCV 2017). Both `N x C x H x W` with more than one pixel, of any sizes, on one device, in f32.
pub fn adain(picture: &Tensor, colours: &Tensor) -> Result<Tensor> {
    let moments = |x: &Tensor| {
        let over: &[i64] = &[2, 3];
        let deviation = x.f_var_correction(over, 1, true)?.f_add_scalar(EPS)?.f_sqrt()?;
        Ok::<_, crate::Error>((x.f_mean_dim(over, true, None::<Kind>)?, deviation))
    };
    let ((mean, deviation), (new_mean, new_deviation)) = (moments(picture)?, moments(colours)?);
    Ok(picture.f_sub(&mean)?.f_div(&deviation)?.f_mul(&new_deviation)?.f_add_(&new_mean)?)
}
