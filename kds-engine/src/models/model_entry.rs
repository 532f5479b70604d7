//! One model of the registry: which files, read by which backbone, with which defaults.

use std::collections::BTreeMap;

use serde::Deserialize;
use tch::{Device, Kind};

use crate::backbone::{Backbone, BackboneKind, BackboneOptions, Memory, ModelFiles};
use crate::calibration::Calibration;
use crate::nn::Loading;
use crate::trust::Trust;
use crate::{Error, Result, device};

/// One `[[model]]` of a registry.
#[derive(Debug, Clone)]
pub struct ModelEntry {
    /// The name that it is asked for by.
    pub id: String,
    /// For a person.
    pub title: String,
    /// Its use.
    pub task: Task,
    /// Enlargement.
    pub scale: usize,
    /// Which architecture reads its files.
    pub backbone: BackboneKind,
    /// Settings of that.
    pub options: BackboneOptions,
    /// Its files.
    pub files: ModelFiles,
    /// Its own defaults of job parameters, as text.
    pub defaults: BTreeMap<String, String>,
    /// Others of these for runs of many particles, by the least number of them.
    pub for_particles: BTreeMap<usize, BTreeMap<String, String>>,
    /// From doubt to error, where it was measured.
    pub calibration: Option<Calibration>,
    /// Sums and permissions of its registry.
    pub trust: Trust,
}

/// Use of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Same size, better picture.
    Restoration,
    /// A larger picture.
    SuperResolution,
    /// Fills what a mask marks.
    Inpainting,
}

impl Task {
    /// The word used in registries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restoration => "restoration",
            Self::SuperResolution => "super-resolution",
            Self::Inpainting => "inpainting",
        }
    }
}

impl ModelEntry {
    /// Loads the model, once its files have proven to be those that its registry entry names.
    pub fn load(&self, device: Device, kind: Kind) -> Result<Box<dyn Backbone>> {
        device::prepare();
        self.trust.verify(&self.id, self.backbone, &self.files, Memory::Used)?;
        device::caught(|| self.open(Loading::new(device, kind)))
    }

    /// Loads the model where and in what the parameters `device` and `dtype` say. What `auto` has taken is in the
    /// backbone's [`Spec`](crate::backbone::Spec), and its reason in the log.
    pub fn load_as(&self, device: &str, dtype: &str) -> Result<Box<dyn Backbone>> {
        let choice = match self.backbone {
            BackboneKind::Plugin if device.trim() == "auto" => {
                device::Choice { device: Device::Cpu, reason: "a third-party backbone computes there".to_owned() }
            }
            _ => device::choose(device)?,
        };
        tracing::info!("device {}: {}", device::name(choice.device), choice.reason);
        self.load(choice.device, device::parse_kind(dtype, choice.device)?)
    }

    /// Compares its files with the sums that its registry entry names; then with the architecture: that they are there, and
    /// name, shape and number format of every tensor. Loads and computes nothing, but a model that is code can only be asked
    /// by running it. The error tells all that is wrong with the weights.
    pub fn check(&self) -> Result<()> {
        self.trust.verify(&self.id, self.backbone, &self.files, Memory::Unused)?;
        self.open(Loading::check()).map(drop)
    }

    fn open(&self, loading: Loading) -> Result<Box<dyn Backbone>> {
        let backbone = self.backbone.load(&self.files, &self.options, self.scale, loading)?;
        if self.task == Task::Inpainting && !backbone.spec().fills_holes {
            return Err(Error::Conflict(format!(
                "model '{}': '{}' fills no holes; name another task",
                self.id,
                self.files.path("").display()
            )));
        }
        if backbone.spec().scale != self.scale {
            let (found, id) = (backbone.spec().scale, &self.id);
            return Err(Error::Conflict(format!(
                "model '{id}' enlarges {found}x, its registry entry says {}x",
                self.scale
            )));
        }
        Ok(backbone)
    }

    /// Where its files are, for a person.
    pub fn source(&self) -> String {
        match &self.files {
            ModelFiles::BuiltIn(_) => "built-in".to_owned(),
            files => files.path("").display().to_string(),
        }
    }
}
