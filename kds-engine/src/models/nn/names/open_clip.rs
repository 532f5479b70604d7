//! Text encoders of OpenCLIP (mlfoundations/open_clip: src/open_clip/transformer.py; XPixelGroup/DiffBIR 3f8b530:
//! diffbir/model/open_clip/). The projections of an attention to queries, keys and values are one tensor.
//!
//! Stable Diffusion 2 reads the last layer but one, with the final normalisation: transformers' files leave the last layer out,
//! these have it.

use super::{Form, Names, Place, exchange, number};
use crate::nn::ClipTextConfig;

/// The names of a text encoder.
#[derive(Debug, Clone)]
pub struct OpenClipText {
    layers: usize,
}

const ENDS: &[(&str, &str)] = &[
    ("embeddings.token_embedding", "token_embedding"),
    ("embeddings.position_embedding.weight", "positional_embedding"),
    ("final_layer_norm", "ln_final"),
];

const LAYER: &[(&str, &str)] = &[
    ("layer_norm1", "ln_1"),
    ("layer_norm2", "ln_2"),
    ("self_attn.out_proj", "attn.out_proj"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
];

impl OpenClipText {
    /// Of the network of this configuration, which has the layers that are read.
    pub fn new(config: &ClipTextConfig) -> Self {
        Self { layers: config.num_hidden_layers }
    }

    fn find(&self, name: &str) -> Option<Place> {
        if let Some(end) = exchange(name, ENDS) {
            return Some(Place::same(end));
        }
        let (layer, rest) = number(name.strip_prefix("encoder.layers.")?)?;
        let layer = format!("transformer.resblocks.{layer}");
        if let Some(tensor) = exchange(rest, LAYER) {
            return Some(Place::same(format!("{layer}.{tensor}")));
        }
        let (projection, tensor) = rest.strip_prefix("self_attn.")?.split_once("_proj.")?;
        let part = ["q", "k", "v"].iter().position(|name| *name == projection)?;
        Some(Place { name: format!("{layer}.attn.in_proj_{tensor}"), form: Form::Part(part as i64, 3) })
    }
}

impl Names for OpenClipText {
    fn place(&self, name: &str) -> Place {
        self.find(name).unwrap_or_else(|| Place::same(name))
    }

    /// The half that sees pictures, what compares it with texts, and the layer behind the one that is read.
    fn ignores(&self, name_in_file: &str) -> bool {
        let unread = format!("transformer.resblocks.{}.", self.layers);
        ["text_projection", "logit_scale", "attn_mask"].contains(&name_in_file)
            || name_in_file.starts_with("visual.")
            || name_in_file.starts_with(&unread)
    }
}
