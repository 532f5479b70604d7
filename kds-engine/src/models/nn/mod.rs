//! Building blocks of the networks, named as in the checkpoints of diffusers and transformers, and networks named as in
//! those of their authors.

mod attention;
mod autoencoder;
mod autoencoder_kl;
mod blocks;
mod clip_text;
mod config;
mod controlnet;
mod edsr;
mod layers;
mod lora;
pub mod names;
mod pickle;
mod predictor;
mod ram;
mod resnet;
mod rrdb;
mod scunet;
mod stored;
mod swin;
mod swinir;
mod tags;
mod time_embedding;
mod transformer;
mod unet;
mod unet2d;
mod unet2d_condition;
mod vq_model;
mod weights;
mod windows;

pub use attention::{Attention, ImageAttention};
pub use autoencoder::{AutoencoderConfig, Decoder, DecoderBlockType, Encoder, EncoderBlockType};
pub use autoencoder_kl::{AutoencoderKl, AutoencoderKlConfig, Posterior};
pub use blocks::{DownBlock, Inputs, MidBlock, Mixing, UpBlock};
pub use clip_text::{ClipActivation, ClipTextConfig, ClipTextModel};
pub use config::{NetworkConfig, OnlyPositional, OnlySilu, PerLevel, Unsupported};
pub use controlnet::{ChannelOrder, ControlNet, ControlNetConfig};
pub use edsr::{Edsr, EdsrConfig};
pub use layers::{Conv2d, GroupNorm, LayerNorm, Linear};
pub use lora::Lora;
pub use predictor::{Predictor, PredictorConfig};
pub use ram::{DAPE, Ram, RamConfig};
pub use resnet::{ResnetBlock, ResnetShape, TimeScaleShift};
pub use rrdb::{Rrdb, RrdbConfig};
pub use scunet::{ScuNet, ScuNetConfig};
pub use swin::{Swin, SwinConfig};
pub use swinir::{SwinIr, SwinIrConfig};
pub use tags::TagList;
pub use time_embedding::TimeEmbedding;
pub use transformer::{BasicTransformerBlock, Transformer2d, TransformerShape};
pub use unet::{Extras, Residuals};
pub use unet2d::{DownBlockType, UNet2d, UNet2dConfig, UpBlockType};
pub use unet2d_condition::{
    ConditionedEncoderConfig, CrossDownBlockType, CrossMidBlockType, CrossUpBlockType, UNet2dCondition,
    UNet2dConditionConfig,
};
pub use vq_model::{OnlyGroup, VqModel, VqModelConfig};
pub use weights::{Loading, MappedFile, Scope, Weights};
