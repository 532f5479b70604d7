//! The first stage of DiffBIR: a network without noise removes the degradation, diffusion then adds what is missing
//! (XPixelGroup/DiffBIR 3f8b530: `diffbir/pipeline.py`, `diffbir/inference/bsr_loop.py`, `bid_loop.py`, `bfr_loop.py`).

use serde::de::DeserializeOwned;
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::Result;
use crate::nn::{Rrdb, Scope, ScuNet, SwinIr, SwinIrConfig};

/// A network that cleans photographs.
pub enum Cleaner {
    /// BSRNet (v2, super-resolution), which enlarges by 4.
    BsrNet(Rrdb),
    /// SwinIR (v1, v2.1 and faces), with the number that sides are multiples of.
    SwinIr(SwinIr, i64),
    /// SCUNet (v2, denoising).
    ScuNet(ScuNet),
}

/// The first stage.
pub struct Stage1 {
    cleaner: Cleaner,
    kind: Kind,
    /// Sides of the cleaned picture are at least this.
    shortest: i64,
}

/// Sides of the cleaned picture are at least this: Stable Diffusion 2.1 knows no smaller pictures.
const SHORTEST: i64 = 512;

impl Stage1 {
    /// Takes the network that the names of the tensors belong to. `sizes` is a JSON object of what is not as in its authors'
    /// configuration: fields of `RrdbConfig`, `ScuNetConfig` or `SwinIrConfig`.
    pub fn load(scope: &Scope, sizes: &Value) -> Result<Self> {
        fn config<C: DeserializeOwned>(scope: &Scope, sizes: &Value) -> Result<C> {
            serde_json::from_value(sizes.clone()).map_err(|error| scope.error(format!("its configuration: {error}")))
        }
        let cleaner = if scope.contains("RRDB_trunk.0.RDB1.conv1.weight") {
            Cleaner::BsrNet(Rrdb::new(scope, &config(scope, sizes)?)?)
        } else if scope.contains("m_head.0.weight") {
            Cleaner::ScuNet(ScuNet::new(scope, &config(scope, sizes)?)?)
        } else if scope.contains("conv_first.1.weight") {
            let config: SwinIrConfig = config(scope, sizes)?;
            Cleaner::SwinIr(SwinIr::new(scope, &config)?, config.multiple() as i64)
        } else {
            let reason = "neither BSRNet nor SwinIR nor SCUNet: it has none of the tensors \
                          'RRDB_trunk.0.RDB1.conv1.weight', 'conv_first.1.weight' and 'm_head.0.weight'";
            return Err(scope.error(reason.to_owned()));
        };
        Ok(Self::new(cleaner, scope.loading().kind))
    }

    /// A network whose weights have this number format.
    pub fn new(cleaner: Cleaner, kind: Kind) -> Self {
        Self { cleaner, kind, shortest: SHORTEST }
    }

    /// The same for tiles, whose size is what it is.
    #[must_use]
    pub fn of_any_size(self) -> Self {
        Self { shortest: 0, ..self }
    }

    /// The photograph cleaned and enlarged: `image` is `N x 3 x h x w` in 0..1, f32, of any size, and `[height, width]` the size
    /// of the result, f32, not clamped. Where its shorter side would be less than 512 it becomes 512, as the second stage
    /// needs. The authors' tiles are left out: a picture comes in tiles already.
    pub fn clean(&self, image: &Tensor, [height, width]: [i64; 2]) -> Result<Tensor> {
        match &self.cleaner {
            // It enlarges by itself; what remains is done to its result.
            Cleaner::BsrNet(network) => {
                let large = self.through(image, |x| network.forward(x))?;
                let size = if height.min(width) < self.shortest { shortest(&large)? } else { [height, width] };
                bicubic(&large, size)
            }
            Cleaner::SwinIr(network, multiple) => {
                let large = self.at_least(enlarged(image, [height, width])?)?;
                let (_, _, height, width) = large.size4()?;
                let missing = |side: i64| (multiple - side % multiple) % multiple;
                let padded = large.f_constant_pad_nd([0, missing(width), 0, missing(height)])?;
                let cleaned = self.through(&padded, |x| network.forward(x))?;
                Ok(cleaned.f_narrow(2, 0, height)?.f_narrow(3, 0, width)?)
            }
            Cleaner::ScuNet(network) => {
                self.at_least(self.through(&enlarged(image, [height, width])?, |x| network.forward(x))?)
            }
        }
    }

    /// Enlarged to the shortest side where it is smaller.
    fn at_least(&self, image: Tensor) -> Result<Tensor> {
        let (_, _, height, width) = image.size4()?;
        if height.min(width) < self.shortest { bicubic(&image, shortest(&image)?) } else { Ok(image) }
    }

    fn through(&self, x: &Tensor, network: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        Ok(network(&x.f_to_kind(self.kind)?)?.f_to_kind(Kind::Float)?)
    }
}

/// Height and width in the same proportion, with the shorter of [`SHORTEST`]; rounded as the authors do, who compute in f64.
fn shortest(image: &Tensor) -> Result<[i64; 2]> {
    let (_, _, height, width) = image.size4()?;
    let shorter = height.min(width);
    let factor = SHORTEST as f64 / shorter as f64;
    let along = |side: i64| if side == shorter { SHORTEST } else { (side as f64 * factor) as i64 };
    Ok([along(height), along(width)])
}

/// Resized as Pillow does with a picture of 8 bits, but for the rounding to them: columns, then rows, nothing beyond 0..1.
pub(super) fn enlarged(image: &Tensor, [height, width]: [i64; 2]) -> Result<Tensor> {
    let columns = bicubic(image, [image.size()[2], width])?.f_clamp(0, 1)?;
    Ok(bicubic(&columns, [height, width])?.f_clamp(0, 1)?)
}

/// Resized with Pillow's cubic kernel, which is wider where the picture becomes smaller.
fn bicubic(image: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    let (_, _, height, width) = image.size4()?;
    if size == [height, width] {
        return Ok(image.shallow_clone());
    }
    Ok(image.f_internal_upsample_bicubic2d_aa(size, false, None::<f64>, None::<f64>)?)
}
