//! Restoration through libkds.so, as every host does it, on 8-bit pictures.

use anyhow::{Context as _, Result};
use image::{GrayImage, RgbImage};
use kds_host::{Channels, Context, ContextOptions, ImageMut, ImageRef, Job, Library, Model};

/// What a restorer is opened with; the default is what a person gets who says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// The model's id; `None` is the first of the registry.
    pub model: Option<&'a str>,
    /// Where to compute; `None` is the automatic choice.
    pub device: Option<&'a str>,
    /// Number format of the network; `None` is the automatic choice.
    pub dtype: Option<&'a str>,
    /// Number of threads; 0 means all cores.
    pub threads: u16,
}

/// A loaded model.
pub struct Restorer {
    model: Model,
}

impl Restorer {
    /// Loads libkds.so, where kds-host finds it, and a model.
    pub fn open(options: &Options) -> Result<Self> {
        let library = Library::open().context("`cargo build --workspace` builds libkds.so")?;
        let context = Context::new(&library, &ContextOptions { threads: options.threads, ..Default::default() })?;
        let id = match options.model {
            Some(id) => id.to_owned(),
            None => context.models()?.into_iter().next().context("the registry has no model")?.id,
        };
        Ok(Self { model: context.open_model(&id, options.device, options.dtype)? })
    }

    /// Restores a picture with these job parameters; a later one overrides an earlier one of the same name.
    pub fn restore(&self, image: &RgbImage, parameters: &[(&str, &str)]) -> Result<RgbImage> {
        self.restore_with(image, None, parameters)
    }

    /// The same with holes to fill, for a model that fills them.
    pub fn restore_with(
        &self,
        image: &RgbImage,
        holes: Option<&GrayImage>,
        parameters: &[(&str, &str)],
    ) -> Result<RgbImage> {
        let mut job = self.job(parameters)?;
        let (width, height) = job.output_size(image.width(), image.height())?;
        let mut restored = RgbImage::new(width, height);
        let input = ImageRef::packed(image.as_raw(), Channels::Rgb, image.width(), image.height())?;
        let output = ImageMut::packed(&mut restored, Channels::Rgb, width, height)?;
        let mask = holes.map(|holes| ImageRef::packed(holes.as_raw(), Channels::Gray, image.width(), image.height()));
        job.run(input, mask.transpose()?, output, None, None)?;
        Ok(restored)
    }

    /// A job with these parameters.
    pub fn job(&self, parameters: &[(&str, &str)]) -> Result<Job> {
        let mut job = self.model.new_job()?;
        for (name, value) in parameters {
            job.set(name, value)?;
        }
        Ok(job)
    }

    /// What the model does, in the word of the registry.
    pub fn task(&self) -> Result<String> {
        Ok(self.model.info()?.task)
    }

    /// The model and what it computes with, in words.
    pub fn description(&self) -> Result<String> {
        let (device, dtype) = self.model.device()?;
        Ok(format!("{} on {device} in {dtype}", self.model.info()?.id))
    }
}
