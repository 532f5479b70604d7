//! Control branches (XPixelGroup/DiffBIR 3f8b530: diffbir/model/controlnet.py `ControlNet`): the first half of a U-Net, and a
//! 1x1 convolution for each of its outputs.

use super::{LdmUNet, Names, Place, number};
use crate::nn::ControlNetConfig;

/// The names of a control branch.
#[derive(Debug, Clone)]
pub struct LdmControlNet(LdmUNet);

impl LdmControlNet {
    /// Of the branch of this configuration.
    ///
    /// # Errors
    /// A configuration that the original layout has no names for.
    pub fn new(config: &ControlNetConfig) -> Result<Self, String> {
        LdmUNet::of_encoder(&config.encoder).map(Self)
    }

    fn find(&self, name: &str) -> Option<String> {
        if let Some(rest) = name.strip_prefix("controlnet_down_blocks.") {
            let (index, rest) = number(rest)?;
            return Some(format!("zero_convs.{index}.0.{rest}"));
        }
        if let Some(rest) = name.strip_prefix("controlnet_mid_block.") {
            return Some(format!("middle_block_out.0.{rest}"));
        }
        self.0.find(name)
    }
}

impl Names for LdmControlNet {
    fn place(&self, name: &str) -> Place {
        Place::same(self.find(name).unwrap_or_else(|| name.to_owned()))
    }
}
