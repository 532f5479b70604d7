//! RAM, the Recognize Anything Model, as SeeSR uses it: embeddings of a picture, and scores of the tags that may describe it
//! (cswry/SeeSR 8edecc7: `ram/models/ram_lora.py`, `ram/models/bert.py`, `ram/configs/`, `test_seesr.py`; tensors are named as in
//! `ram_swin_large_14m.pth`). DAPE is added as its weights are read.

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::attention::attend;
use super::config::{self, NetworkConfig};
use super::windows::check_heads;
use super::{LayerNorm, Linear, Lora, Scope, Swin, SwinConfig};
use crate::Result;

/// Sizes of the network; by default those of SeeSR.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct RamConfig {
    /// The image encoder.
    pub image: SwinConfig,
    /// Tags.
    pub tags: i64,
    /// Channels of the embeddings of pictures and tags.
    pub width: i64,
    /// Channels of the tags within the tagging head.
    pub hidden: i64,
    /// Channels inside its feed-forward networks.
    pub intermediate: i64,
    /// Attention heads of the tagging head.
    pub heads: i64,
    /// Layers of the tagging head.
    pub layers: usize,
}

impl Default for RamConfig {
    fn default() -> Self {
        let image = SwinConfig::default();
        Self { image, tags: 4585, width: 512, hidden: 768, intermediate: 3072, heads: 4, layers: 2 }
    }
}

impl NetworkConfig for RamConfig {
    fn check(&self) -> std::result::Result<(), String> {
        self.image.check()?;
        config::check_channels([&self.tags, &self.width, &self.hidden, &self.intermediate])?;
        config::check_heads("heads", self.hidden, self.heads)?;
        config::check_layers("layers", self.layers)
    }
}

/// `DAPE.pth`, which makes the embeddings bear degradation: low-rank updates of the queries and values of the image encoder, and
/// of the queries and keys of the tagging head, of rank 8 and alpha 1 (`swin_transformer_lora.py`, `bert_lora.py`).
pub const DAPE: Lora<'static> = Lora {
    scale: 1.0,
    alpha: Some(1.0),
    prefixes: &[""],
    merged: &[true, false, true],
    ignored: &["tag_encoder.", "text_decoder."],
    renamed: &[("vision_multi.", "tagging_head.")],
};

/// Mean and standard deviation of the channels of its training pictures.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];
/// Added to the variance in the normalisations of the tagging head.
const EPS: f64 = 1e-12;

/// The network.
pub struct Ram {
    image_size: i64,
    encoder: Swin,
    image_proj: Linear,
    /// Of each tag, `1 x tags x hidden`.
    labels: Tensor,
    layers: Vec<TagLayer>,
    fc: Linear,
}

impl Ram {
    /// Takes its weights from the scope and leaves out all others. The error says which tensor does not fit.
    pub fn new(scope: &Scope, config: &RamConfig) -> Result<Self> {
        config.check().map_err(|reason| scope.error(reason))?;
        let RamConfig { tags, width, hidden, .. } = *config;
        // Its name in checkpoints that are older than the authors' code.
        let old = scope.contains("vision_multi.encoder.layer.0.output.dense.weight");
        let head = scope.child(if old { "vision_multi" } else { "tagging_head" });
        let layer = |index| TagLayer::new(&head.child(format_args!("encoder.layer.{index}")), config);
        let labels = scope.tensor("label_embed", &[tags, width])?;
        let labels = Linear::new(&scope.child("wordvec_proj"), width, hidden)?.forward(&labels)?;
        // Checkpoints also hold what writes sentences and what training needed; the authors read past all of it.
        scope.ignore_all();
        Ok(Self {
            image_size: config.image.image_size,
            encoder: Swin::new(&scope.child("visual_encoder"), &config.image)?,
            image_proj: Linear::new(&scope.child("image_proj"), config.image.width(), width)?,
            labels: labels.f_relu()?.f_unsqueeze(0)?,
            layers: (0..config.layers).map(layer).collect::<Result<_>>()?,
            fc: Linear::new(&scope.child("fc"), hidden, 1)?,
        })
    }

    /// A picture `N x 3 x H x W` in 0..1, of any size, as [`Ram::embeddings`] takes it: `N x 3 x S x S`. Resized bilinearly
    /// without smoothing, as torchvision 0.15 resizes tensors, which belongs to the torch 2.0.1 that the authors require.
    pub fn prepare(&self, picture: &Tensor) -> Result<Tensor> {
        let resized = picture.f_upsample_bilinear2d([self.image_size; 2], false, None::<f64>, None::<f64>)?;
        let channels =
            |values: &[f32]| Tensor::f_from_slice(values)?.f_view([1, 3, 1, 1])?.f_to_device(picture.device());
        Ok(resized.f_sub(&channels(&MEAN)?)?.f_div(&channels(&DEVIATION)?)?)
    }

    /// The embeddings of prepared pictures, in the number format of the weights: `N x (1 + T) x width`, that of the whole
    /// first.
    pub fn embeddings(&self, prepared: &Tensor) -> Result<Tensor> {
        self.image_proj.forward(&self.encoder.forward(prepared)?)
    }

    /// The logit of each tag, `N x tags`, for these embeddings.
    pub fn logits(&self, embeddings: &Tensor) -> Result<Tensor> {
        let (batch, ..) = embeddings.size3()?;
        let mut tags = self.labels.f_expand([batch, -1, -1], false)?;
        for layer in &self.layers {
            tags = layer.forward(&tags, embeddings)?;
        }
        Ok(self.fc.forward(&tags)?.f_squeeze_dim(2)?.f_to_kind(Kind::Float)?)
    }
}

/// A layer of BERT without its self-attention: the tags look at the picture and pass a feed-forward network, the sums
/// normalised.
struct TagLayer {
    query: Linear,
    key: Linear,
    value: Linear,
    heads: i64,
    attended: Linear,
    attended_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
}

impl TagLayer {
    fn new(scope: &Scope, config: &RamConfig) -> Result<Self> {
        let RamConfig { width, hidden, intermediate, heads, .. } = *config;
        let attention = scope.child("crossattention");
        check_heads(&attention, hidden, heads)?;
        let projection = |name, inputs| Linear::new(&attention.child("self").child(name), inputs, hidden);
        Ok(Self {
            query: projection("query", hidden)?,
            key: projection("key", width)?,
            value: projection("value", width)?,
            heads,
            attended: Linear::new(&attention.child("output.dense"), hidden, hidden)?,
            attended_norm: LayerNorm::new(&attention.child("output.LayerNorm"), hidden, EPS)?,
            intermediate: Linear::new(&scope.child("intermediate.dense"), hidden, intermediate)?,
            output: Linear::new(&scope.child("output.dense"), intermediate, hidden)?,
            output_norm: LayerNorm::new(&scope.child("output.LayerNorm"), hidden, EPS)?,
        })
    }

    fn forward(&self, tags: &Tensor, embeddings: &Tensor) -> Result<Tensor> {
        let (key, value) = (self.key.forward(embeddings)?, self.value.forward(embeddings)?);
        let mixed = attend(&self.query.forward(tags)?, &key, &value, self.heads, false)?;
        let tags = self.attended_norm.forward(&self.attended.forward(&mixed)?.f_add_(tags)?)?;
        let hidden = self.intermediate.forward(&tags)?.f_gelu("none")?;
        self.output_norm.forward(&self.output.forward(&hidden)?.f_add_(&tags)?)
    }
}
