//! Common parts of the networks' configurations: defaults, words, and what cannot be built.

use serde::Deserialize;

/// The configuration of a network: a `config.json`.
pub trait NetworkConfig: serde::de::DeserializeOwned {
    /// Why no network can be built from it, if so.
    fn check(&self) -> Result<(), String>;
}

/// Value of `act_fn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnlySilu {
    /// `x · sigmoid(x)`.
    #[default]
    #[serde(alias = "swish")]
    Silu,
}

/// Value of `time_embedding_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnlyPositional {
    /// Sines and cosines of the timestep.
    #[default]
    Positional,
}

/// Value of a key that only `null` is possible for: any other is an error that names the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Unsupported {}

/// A value for every level of a network, or one for each.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum PerLevel<T> {
    /// The same for all.
    Same(T),
    /// Finest level first.
    Each(Vec<T>),
}

impl<T: Copy> PerLevel<T> {
    /// The values of `levels` levels; `name` is the key, for the error where the list has another length.
    pub(crate) fn expand(&self, name: &str, levels: usize) -> Result<Vec<T>, String> {
        match self {
            Self::Same(value) => Ok(vec![*value; levels]),
            Self::Each(values) if values.len() == levels => Ok(values.clone()),
            Self::Each(values) => Err(format!("{name} has {} entries, block_out_channels has {levels}", values.len())),
        }
    }
}

pub(crate) fn groups() -> i64 {
    32
}
pub(crate) fn eps() -> f64 {
    1e-5
}
pub(crate) fn yes() -> bool {
    true
}
pub(crate) fn one() -> i64 {
    1
}
pub(crate) fn unit() -> f64 {
    1.0
}

/// By how much the coarsest of so many levels is smaller than the finest, along a side.
pub(crate) fn halvings(levels: usize) -> usize {
    1 << levels.saturating_sub(1)
}

type Checked = Result<(), String>;

/// Far beyond any model; keeps products of sizes far from overflow.
const MOST_CHANNELS: i64 = 65_536;

/// The number of levels is possible, and lists that go with them (of these lengths) have an entry for each.
pub(crate) fn check_levels(block_out_channels: &[i64], lengths: &[usize]) -> Checked {
    let levels = block_out_channels.len();
    if levels == 0 || levels > 8 {
        return Err(format!("block_out_channels has {levels} entries; 1 to 8 are possible"));
    }
    if lengths.iter().any(|length| *length != levels) {
        return Err(format!("down_block_types and up_block_types need {levels} entries, as block_out_channels"));
    }
    Ok(())
}

pub(crate) fn check_channels<'a>(sizes: impl IntoIterator<Item = &'a i64>) -> Checked {
    if sizes.into_iter().any(|size| !(1..=MOST_CHANNELS).contains(size)) {
        return Err(format!("channel counts must be from 1 to {MOST_CHANNELS}"));
    }
    Ok(())
}

pub(crate) fn check_layers(name: &str, layers: usize) -> Checked {
    if !(1..=16).contains(&layers) {
        return Err(format!("{name} is {layers}; 1 to 16 are possible"));
    }
    Ok(())
}

pub(crate) fn check_padding(downsample_padding: i64) -> Checked {
    if !(0..=1).contains(&downsample_padding) {
        return Err(format!("downsample_padding is {downsample_padding}; 0 and 1 are possible"));
    }
    Ok(())
}

/// Heads divide channels, of `what`.
pub(crate) fn check_heads(what: &str, channels: i64, heads: i64) -> Checked {
    if heads < 1 || channels % heads != 0 {
        return Err(format!("{what} {heads} does not divide the {channels} channels"));
    }
    Ok(())
}

pub(crate) fn check_groups(norm_num_groups: i64, channels: &[i64]) -> Checked {
    if norm_num_groups < 1 || channels.iter().any(|channels| channels % norm_num_groups != 0) {
        return Err(format!("norm_num_groups {norm_num_groups} does not divide every entry of block_out_channels"));
    }
    Ok(())
}
