//! RAM with DAPE, as SeeSR looks at a photograph (cswry/SeeSR 8edecc7: test_seesr.py `get_validation_prompt`).

use serde_json::json;
use tch::Tensor;

use super::{ModelFiles, Shared};
use crate::Result;
use crate::nn::names::OwnNames;
use crate::nn::{DAPE, Loading, Ram, RamConfig, Scope, TagList};

/// The network and its tags: `ram_swin_large_14m.pth`, the update `DAPE.pth` of its weights, `ram_tag_list.txt` and
/// `ram_tag_list_threshold.txt`.
pub(super) struct Recogniser {
    network: Shared<Ram>,
    tags: TagList,
    channels: i64,
}

/// Without extension, as the next.
pub(super) const NETWORK: &str = "ram_swin_large_14m";
pub(super) const UPDATE: &str = "DAPE";
pub(super) const TAGS: &str = "ram_tag_list.txt";
pub(super) const THRESHOLDS: &str = "ram_tag_list_threshold.txt";
/// Sizes of a network that differ from its authors'.
pub(super) const CONFIG: &str = "ram/config.json";

impl Recogniser {
    /// Loads both, with or without the update; the error names the file, and the tensor or line, that does not fit.
    pub fn load(files: &ModelFiles, with_update: bool, loading: Loading) -> Result<Self> {
        let Some(file) = files.find(&[NETWORK]) else {
            let reason = "it is missing (also looked for .safetensors, .pt, .ckpt, .bin); docs/models.md says where it comes from".to_owned();
            return Err(files.error(&format!("{NETWORK}.pth"), reason));
        };
        let sizes = if files.contains(CONFIG) { files.read_json(CONFIG)? } else { json!({}) };
        let config: RamConfig =
            serde_json::from_value(sizes).map_err(|error| files.error(CONFIG, error.to_string()))?;
        let update = files.find(&[UPDATE]).filter(|_| with_update);
        if with_update && update.is_none() {
            let reason = "it is missing, and SeeSR was trained with RAM and this update (also looked for .safetensors, .pt, \
                          .ckpt, .bin); docs/models.md says where it comes from; for a file of RAM that holds the sum write \
                          dape = false into the options of the registry entry";
            return Err(files.error(&format!("{UPDATE}.pth"), reason.to_owned()));
        }
        let updates: Vec<_> = update.iter().map(|update| (update.as_str(), DAPE)).collect();
        let build = |scope: &Scope| Ram::new(scope, &config);
        let network = files.open_with_lora(&file, OwnNames, &[""], &updates, loading, build)?;
        let text = |name: &str| -> Result<String> {
            String::from_utf8(files.read(name)?.into_owned()).map_err(|error| files.error(name, error.to_string()))
        };
        let thresholds = files.contains(THRESHOLDS).then(|| text(THRESHOLDS)).transpose()?;
        let tags = TagList::parse(&text(TAGS)?, thresholds.as_deref()).map_err(|reason| files.error(TAGS, reason))?;
        if tags.count() as i64 != config.tags {
            let reason = format!("it has {} tags, the network scores {}", tags.count(), config.tags);
            return Err(files.error(TAGS, reason));
        }
        Ok(Self { network: Shared(network), tags, channels: config.width })
    }

    /// Channels of the embeddings.
    pub fn channels(&self) -> i64 {
        self.channels
    }

    /// Embeddings of a picture, `1 x 3 x H x W` in 0..1 and of any size, `1 x S x channels` in f32; and its tags, joined by
    /// commas.
    pub fn look(&self, picture: &Tensor) -> Result<(Tensor, String)> {
        let embeddings = self.network.0.embeddings(&self.network.0.prepare(picture)?)?;
        let tags = self.tags.of(&self.network.0.logits(&embeddings)?)?.join(", ");
        Ok((embeddings, tags))
    }
}
