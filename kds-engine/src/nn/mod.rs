//! Building blocks of the networks, named as in the checkpoints of diffusers.

mod attention;
mod layers;
mod resnet;
mod unet2d;
mod weights;

pub use attention::Attention;
pub use layers::{Conv2d, GroupNorm, Linear, sinusoidal_embedding};
pub use resnet::{ResnetBlock, TimeScaleShift};
pub use unet2d::{DownBlockType, UNet2d, UNet2dConfig, UpBlockType};
pub use weights::{Scope, Weights};
