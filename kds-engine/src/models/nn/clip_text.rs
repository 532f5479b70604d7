//! The text encoder of CLIP and OpenCLIP (transformers: models/clip/modeling_clip.py `CLIPTextModel`), read from its
//! `config.json`.

use serde::Deserialize;
use tch::Tensor;

use super::attention::attend;
use super::config::{self, NetworkConfig};
use super::{LayerNorm, Linear, Scope};
use crate::{Error, Result};

/// The part of `text_encoder/config.json` that decides the computation.
#[derive(Debug, Clone, Deserialize)]
pub struct ClipTextConfig {
    /// Number of tokens there are.
    pub vocab_size: i64,
    /// Channels of a token.
    pub hidden_size: i64,
    /// Channels inside the feed-forward networks.
    pub intermediate_size: i64,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: i64,
    /// The longest text, in tokens.
    #[serde(default = "longest")]
    pub max_position_embeddings: i64,
    /// Activation of the feed-forward networks.
    #[serde(default)]
    pub hidden_act: ClipActivation,
    /// Added to the variance in every normalisation.
    #[serde(default = "config::eps")]
    pub layer_norm_eps: f64,
}

/// Activations of CLIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipActivation {
    /// `x · sigmoid(1.702 x)`: OpenAI's CLIP.
    #[default]
    QuickGelu,
    /// `x · Φ(x)`: OpenCLIP.
    Gelu,
}

impl ClipActivation {
    fn forward(self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::QuickGelu => x.f_mul_scalar(1.702)?.f_sigmoid_()?.f_mul_(x)?,
            Self::Gelu => x.f_gelu("none")?,
        })
    }
}

fn longest() -> i64 {
    77
}

/// Far beyond any model.
const MOST_TOKENS: i64 = 1 << 24;

impl NetworkConfig for ClipTextConfig {
    fn check(&self) -> std::result::Result<(), String> {
        config::check_channels([&self.hidden_size, &self.intermediate_size, &self.max_position_embeddings])?;
        if !(1..=MOST_TOKENS).contains(&self.vocab_size) {
            return Err(format!("vocab_size is {}; 1 to {MOST_TOKENS} are possible", self.vocab_size));
        }
        if !(1..=256).contains(&self.num_hidden_layers) {
            return Err(format!("num_hidden_layers is {}; 1 to 256 are possible", self.num_hidden_layers));
        }
        if self.num_attention_heads < 1 || self.hidden_size % self.num_attention_heads != 0 {
            let (heads, size) = (self.num_attention_heads, self.hidden_size);
            return Err(format!("num_attention_heads {heads} does not divide hidden_size {size}"));
        }
        Ok(())
    }
}

/// The network.
pub struct ClipTextModel {
    token_embedding: Tensor,
    position_embedding: Tensor,
    layers: Vec<Layer>,
    final_layer_norm: LayerNorm,
}

impl ClipTextModel {
    /// Takes all weights from the scope, with or without the prefix `text_model.` that older versions of the reference
    /// write. The error says which configuration key or tensor does not fit.
    pub fn new(scope: &Scope, config: &ClipTextConfig) -> Result<Self> {
        config.check().map_err(|reason| scope.error(reason))?;
        let plain = scope.contains("embeddings.token_embedding.weight");
        let scope = &if plain { scope.clone() } else { scope.child("text_model") };
        let embeddings = scope.child("embeddings");
        embeddings.ignore("position_ids");
        let layer = |index| Layer::new(&scope.child(format_args!("encoder.layers.{index}")), config);
        let (size, positions) = (config.hidden_size, config.max_position_embeddings);
        Ok(Self {
            token_embedding: embeddings.tensor("token_embedding.weight", &[config.vocab_size, size])?,
            position_embedding: embeddings.tensor("position_embedding.weight", &[positions, size])?,
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?,
            final_layer_norm: LayerNorm::new(&scope.child("final_layer_norm"), size, config.layer_norm_eps)?,
        })
    }

    /// The last hidden state, `N x S x hidden_size`, of tokens `N x S` (int64). Refuses texts that are too long and tokens
    /// that there are not.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let (_, length) = tokens.size2()?;
        let (vocabulary, longest) = (self.token_embedding.size()[0], self.position_embedding.size()[0]);
        let largest = tokens.f_max()?.f_int64_value(&[])?;
        let smallest = tokens.f_min()?.f_int64_value(&[])?;
        if length > longest || smallest < 0 || largest >= vocabulary {
            return Err(Error::Conflict(format!(
                "the tokenizer gave {length} tokens up to {largest}; the text encoder takes {longest} below {vocabulary}: \
                 tokenizer and text encoder are not of one model"
            )));
        }
        let positions = self.position_embedding.f_narrow(0, 0, length)?;
        let mut h = Tensor::f_embedding(&self.token_embedding, tokens, -1, false, false)?.f_add_(&positions)?;
        for layer in &self.layers {
            h = layer.forward(&h)?;
        }
        self.final_layer_norm.forward(&h)
    }
}

/// Causal self-attention and feed-forward network, each normalised first and added to its input.
struct Layer {
    layer_norm1: LayerNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    heads: i64,
    layer_norm2: LayerNorm,
    fc1: Linear,
    activation: ClipActivation,
    fc2: Linear,
}

impl Layer {
    fn new(scope: &Scope, config: &ClipTextConfig) -> Result<Self> {
        let (size, hidden) = (config.hidden_size, config.intermediate_size);
        let norm = |name| LayerNorm::new(&scope.child(name), size, config.layer_norm_eps);
        let projection = |name| Linear::new(&scope.child("self_attn").child(name), size, size);
        Ok(Self {
            layer_norm1: norm("layer_norm1")?,
            q_proj: projection("q_proj")?,
            k_proj: projection("k_proj")?,
            v_proj: projection("v_proj")?,
            out_proj: projection("out_proj")?,
            heads: config.num_attention_heads,
            layer_norm2: norm("layer_norm2")?,
            fc1: Linear::new(&scope.child("mlp.fc1"), size, hidden)?,
            activation: config.hidden_act,
            fc2: Linear::new(&scope.child("mlp.fc2"), hidden, size)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let normed = self.layer_norm1.forward(x)?;
        let (query, key, value) =
            (self.q_proj.forward(&normed)?, self.k_proj.forward(&normed)?, self.v_proj.forward(&normed)?);
        let x = self.out_proj.forward(&attend(&query, &key, &value, self.heads, true)?)?.f_add_(x)?;
        let hidden = self.activation.forward(&self.fc1.forward(&self.layer_norm2.forward(&x)?)?)?;
        Ok(self.fc2.forward(&hidden)?.f_add_(&x)?)
    }
}
