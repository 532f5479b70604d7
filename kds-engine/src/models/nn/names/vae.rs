//! Autoencoders of latent diffusion (CompVis/latent-diffusion: ldm/modules/diffusionmodules/model.py `Encoder`, `Decoder`;
//! XPixelGroup/DiffBIR 3f8b530: diffbir/model/vae.py). Their attention has 1x1 convolutions for linear layers, and the
//! levels of the decoder are counted from the finest.

use super::{Form, Names, Place, exchange, number};
use crate::nn::AutoencoderConfig;

/// The names of an autoencoder.
#[derive(Debug, Clone)]
pub struct LdmVae {
    levels: usize,
}

const PARTS: &[(&str, &str)] = &[
    ("mid_block.resnets.0", "mid.block_1"),
    ("mid_block.resnets.1", "mid.block_2"),
    ("mid_block.attentions.0.group_norm", "mid.attn_1.norm"),
    ("mid_block.attentions.0.to_q", "mid.attn_1.q"),
    ("mid_block.attentions.0.to_k", "mid.attn_1.k"),
    ("mid_block.attentions.0.to_v", "mid.attn_1.v"),
    ("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out"),
    ("conv_norm_out", "norm_out"),
];

impl LdmVae {
    /// Of the network of this configuration.
    pub fn new(config: &AutoencoderConfig) -> Self {
        Self { levels: config.block_out_channels.len() }
    }

    fn find(&self, name: &str) -> Option<String> {
        let (half, rest) = name.split_once('.')?;
        if !["encoder", "decoder"].contains(&half) {
            return None;
        }
        if let Some(part) = exchange(rest, PARTS) {
            return Some(format!("{half}.{part}"));
        }
        let (way, rest) = rest.split_once("_blocks.")?;
        let (level, rest) = number(rest)?;
        let (kind, rest) = rest.split_once('.')?;
        let (index, rest) = number(rest)?;
        let level = if way == "up" { self.levels.checked_sub(level + 1)? } else { level };
        let tensor = match kind {
            "resnets" => {
                let rest = exchange(rest, &[("conv_shortcut", "nin_shortcut")]).unwrap_or_else(|| rest.to_owned());
                format!("block.{index}.{rest}")
            }
            "downsamplers" => format!("downsample.{rest}"),
            "upsamplers" => format!("upsample.{rest}"),
            _ => return None,
        };
        Some(format!("{half}.{way}.{level}.{tensor}"))
    }
}

impl Names for LdmVae {
    fn place(&self, name: &str) -> Place {
        let found = self.find(name).unwrap_or_else(|| name.to_owned());
        let projection = found.contains(".mid.attn_1.") && !found.contains(".norm.") && found.ends_with(".weight");
        Place { name: found, form: if projection { Form::Kernel } else { Form::Same } }
    }

    /// The loss that it was trained against.
    fn ignores(&self, name_in_file: &str) -> bool {
        name_in_file.starts_with("loss.")
    }
}
