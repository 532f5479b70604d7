//! The list of all backbones: their words in registries, their options, and how each is loaded and recognised. A new one is
//! a file beside this, and a line in each list here.

use serde::Deserialize;

use super::recognised::{self, INDEX, Recognised};
use super::{
    Backbone, DiffBir, DiffBirOptions, LdmSr, ModelFiles, Plugin, Residual, SdInpaint, SeeSr, SeeSrOptions, TorchScript,
};
use crate::nn::Loading;
use crate::{Error, Result};

/// The architectures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackboneKind {
    /// [`Residual`].
    Residual,
    /// [`LdmSr`].
    LdmSr,
    /// [`SdInpaint`].
    SdInpaint,
    /// [`DiffBir`].
    #[serde(rename = "diffbir")]
    DiffBir,
    /// [`SeeSr`].
    #[serde(rename = "seesr")]
    SeeSr,
    /// [`TorchScript`]: the path is that of a file.
    #[serde(rename = "torchscript")]
    TorchScript,
    /// [`Plugin`]: the path is that of a shared library.
    Plugin,
}

/// Settings of a model's backbone: the table `[model.options]` of its registry entry.
#[derive(Debug, Clone, PartialEq)]
pub enum BackboneOptions {
    /// The backbone has none.
    None,
    /// Options of [`DiffBir`].
    DiffBir(DiffBirOptions),
    /// Options of [`SeeSr`].
    SeeSr(SeeSrOptions),
}

impl BackboneKind {
    /// Models that are one file of code, which runs with the rights of the process.
    pub fn is_code(self) -> bool {
        matches!(self, Self::TorchScript | Self::Plugin)
    }

    /// The word used in registries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Residual => "residual",
            Self::LdmSr => "ldm-sr",
            Self::SdInpaint => "sd-inpaint",
            Self::DiffBir => "diffbir",
            Self::SeeSr => "seesr",
            Self::TorchScript => "torchscript",
            Self::Plugin => "plugin",
        }
    }

    /// The options in the table of a registry entry, or what is wrong with them.
    pub fn options(self, table: toml::Table) -> std::result::Result<BackboneOptions, String> {
        let wrong = |error: toml::de::Error| error.message().replace('\n', " ");
        match self {
            Self::DiffBir => {
                let options: DiffBirOptions = table.try_into().map_err(wrong)?;
                options.check()?;
                Ok(BackboneOptions::DiffBir(options))
            }
            Self::SeeSr => {
                let options: SeeSrOptions = table.try_into().map_err(wrong)?;
                options.check()?;
                Ok(BackboneOptions::SeeSr(options))
            }
            _ if table.is_empty() => Ok(BackboneOptions::None),
            _ => Err(format!("the backbone {} has no options", self.name())),
        }
    }

    /// Job parameters that models of this backbone have where their registry entry names none.
    pub fn defaults(files: &ModelFiles, options: &BackboneOptions) -> Vec<(&'static str, &'static str)> {
        match options {
            BackboneOptions::None => Vec::new(),
            BackboneOptions::DiffBir(options) => DiffBir::defaults(files, options),
            BackboneOptions::SeeSr(options) => SeeSr::defaults(options),
        }
    }

    /// Opens a model; `scale` is its enlargement, where the backbone leaves that open.
    pub fn load(
        self,
        files: &ModelFiles,
        options: &BackboneOptions,
        scale: usize,
        loading: Loading,
    ) -> Result<Box<dyn Backbone>> {
        let single_file = || match files {
            ModelFiles::Folder(file) => Ok(file),
            ModelFiles::BuiltIn(_) | ModelFiles::Tree(_) => {
                Err(Error::Conflict(format!("a model of the backbone {} is a file", self.name())))
            }
        };
        Ok(match (self, options) {
            (Self::Residual, _) => Box::new(Residual::load(files, loading)?),
            (Self::LdmSr, _) => Box::new(LdmSr::load(files, loading)?),
            (Self::SdInpaint, _) => Box::new(SdInpaint::load(files, loading)?),
            (Self::DiffBir, BackboneOptions::DiffBir(options)) => {
                Box::new(DiffBir::load(files, options, scale, loading)?)
            }
            (Self::DiffBir, _) => Box::new(DiffBir::load(files, &DiffBirOptions::default(), scale, loading)?),
            (Self::SeeSr, BackboneOptions::SeeSr(options)) => Box::new(SeeSr::load(files, options, scale, loading)?),
            (Self::SeeSr, _) => Box::new(SeeSr::load(files, &SeeSrOptions::default(), scale, loading)?),
            (Self::TorchScript, _) => Box::new(TorchScript::load(single_file()?, loading)?),
            (Self::Plugin, _) => Box::new(Plugin::load(single_file()?, loading.device)?),
        })
    }
}

/// How a backbone recognises its models: `None` where the files are none of them, an error where one is missing.
type Recognise = fn(&ModelFiles) -> Result<Option<Recognised>>;

/// Of the backbones whose models are folders. The first two come first: their folders may also hold an index of diffusers.
const RECOGNISED: &[Recognise] =
    &[SeeSr::recognise, DiffBir::recognise, LdmSr::recognise, SdInpaint::recognise, Residual::recognise];
/// The classes of pipelines that the others read.
const PIPELINES: &[&str] = &[LdmSr::PIPELINE, SdInpaint::PIPELINE, Residual::PIPELINE];

/// The model in a folder.
///
/// # Errors
/// [`Error::Model`] with the first file that it lacks, or with what was looked for where it is none that is known.
pub fn recognise(files: &ModelFiles) -> Result<Recognised> {
    for recognise in RECOGNISED {
        if let Some(found) = recognise(files)? {
            return Ok(found);
        }
    }
    let known = PIPELINES.join(", ");
    Err(match recognised::pipeline(files)? {
        Some(class) => files.error(INDEX, format!("there is no backbone for '{class}'; known are {known}")),
        None => files.error(
            "",
            format!(
                "no model that is known: looked for {INDEX} (a folder as diffusers saves it, of {known}), the control branch \
                 of DiffBIR ({}) and {} of SeeSR",
                DiffBir::branches().join(", "),
                SeeSr::RECOGNISER,
            ),
        ),
    })
}
