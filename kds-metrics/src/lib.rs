//! Measures of picture quality: against a true picture (PSNR, SSIM, LPIPS, DISTS), without one (NIQE), of a set of
//! restorations of one picture (G-STD, L-STD), of a map of doubt against true errors, and whether a difference over many pictures is more than chance.
//!
//! Pictures are 8-bit sRGB. The networks of LPIPS and DISTS run in plain Rust, so that a host that measures needs no
//! libtorch; their weights are read from safetensors files, which `tools/metrics/convert.py` writes.

mod convolution;
mod dists;
mod error;
mod lpips;
mod niqe;
mod plane;
mod psnr;
mod reliability;
mod significance;
mod ssim;
mod stability;
mod weights;

pub use dists::Dists;
pub use error::{Error, Result};
pub use lpips::Lpips;
pub use niqe::{BLOCK, Niqe};
pub use reliability::{Group, Reliability, TAKEN_AWAY, isotonic};
pub use significance::{SignedRank, wilcoxon};
pub use stability::{deviation, local_deviation};
pub use weights::{Tensor, Weights};

pub use psnr::{psnr_luma, psnr_rgb};
pub use ssim::{ssim_luma, ssim_rgb};

/// Pixels at each side that PSNR and SSIM leave out, as papers on super-resolution by 4 do.
pub const BORDER: u32 = 4;
