//! U-Nets of latent diffusion (CompVis/latent-diffusion: ldm/modules/diffusionmodules/openaimodel.py `UNetModel`;
//! XPixelGroup/DiffBIR 3f8b530: diffbir/model/unet.py).
//!
//! They number all blocks on the way down in one list, changes of resolution included, and so on the way up; each block is a
//! list of a residual block, a transformer where there is one, and on the way up the change of resolution.

use super::{Names, Place, exchange, number};
use crate::nn::{ConditionedEncoderConfig, CrossUpBlockType, UNet2dConditionConfig};

/// The names of a U-Net.
#[derive(Debug, Clone)]
pub struct LdmUNet {
    /// Residual blocks of each level on the way down, finest first.
    layers: Vec<usize>,
    /// True where each level on the way up has transformers, in the order of the way up.
    attention_up: Vec<bool>,
}

const ENDS: &[(&str, &str)] = &[
    ("conv_in", "input_blocks.0.0"),
    ("time_embedding.linear_1", "time_embed.0"),
    ("time_embedding.linear_2", "time_embed.2"),
    ("mid_block.attentions.0", "middle_block.1"),
    ("conv_norm_out", "out.0"),
    ("conv_out", "out.2"),
];

const RESIDUAL: &[(&str, &str)] = &[
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
];

impl LdmUNet {
    /// Of the network of this configuration.
    ///
    /// # Errors
    /// A configuration that the original layout has no names for.
    pub fn new(config: &UNet2dConditionConfig) -> Result<Self, String> {
        let attends = |kind: &CrossUpBlockType| *kind == CrossUpBlockType::CrossAttnUpBlock2D;
        Ok(Self {
            attention_up: config.up_block_types.iter().map(attends).collect(),
            ..Self::of_encoder(&config.encoder)?
        })
    }

    /// Of the way down and the middle alone.
    pub(super) fn of_encoder(config: &ConditionedEncoderConfig) -> Result<Self, String> {
        let layers = config.layers_per_block.expand("layers_per_block", config.block_out_channels.len())?;
        Ok(Self { layers, attention_up: Vec::new() })
    }

    /// The name in the file, where the network has such a tensor.
    pub(super) fn find(&self, name: &str) -> Option<String> {
        if let Some(end) = exchange(name, ENDS) {
            return Some(end);
        }
        if let Some(rest) = name.strip_prefix("mid_block.resnets.") {
            let (index, rest) = number(rest)?;
            return Some(format!("middle_block.{}.{}", 2 * index, exchange(rest, RESIDUAL)?));
        }
        let (way, rest) = name.split_once("_blocks.")?;
        let (level, rest) = number(rest)?;
        let (blocks, first, layers) = match way {
            // After the first convolution; each level has its residual blocks and a change of resolution.
            "down" => {
                ("input_blocks", 1 + level + self.layers.get(..level)?.iter().sum::<usize>(), *self.layers.get(level)?)
            }
            // Each level has one residual block more than on the way down.
            "up" => {
                let mut upwards = self.layers.iter().rev().map(|layers| layers + 1);
                ("output_blocks", upwards.by_ref().take(level).sum(), upwards.next()?)
            }
            _ => return None,
        };
        let (kind, rest) = rest.split_once('.')?;
        let (index, rest) = number(rest)?;
        let (block, tensor) = match (kind, way) {
            ("resnets", _) => (first + index, format!("0.{}", exchange(rest, RESIDUAL)?)),
            ("attentions", _) => (first + index, format!("1.{rest}")),
            ("downsamplers", "down") => (first + layers, format!("0.op.{}", rest.strip_prefix("conv.")?)),
            ("upsamplers", "up") => {
                let position = if *self.attention_up.get(level)? { 2 } else { 1 };
                (first + layers - 1, format!("{position}.{rest}"))
            }
            _ => return None,
        };
        Some(format!("{blocks}.{block}.{tensor}"))
    }
}

impl Names for LdmUNet {
    fn place(&self, name: &str) -> Place {
        Place::same(self.find(name).unwrap_or_else(|| name.to_owned()))
    }
}
