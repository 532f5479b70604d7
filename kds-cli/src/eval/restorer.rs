//! Restoring through the library, with changed parameters.

use std::{ops::ControlFlow, time::Instant};

use anyhow::{Context as _, bail};
use image::RgbImage;
use kds_host::{Calibration, Channels, Context, ImageMut, ImageRef, Job, Library, Model, Status};

use super::{
    pairs::Pair,
    peak,
    store::{Cost, Run},
};
use crate::{
    eval::Evaluation,
    interrupt::{self, Cancelled},
    progress::{PictureBar, Progress},
};

/// A loaded model with the parameters of the evaluation.
pub struct Restorer<'a> {
    options: &'a Evaluation,
    model: Model,
    /// Enlargement of the results.
    pub scale: u32,
    /// Particles of the ensembles.
    pub particles: u64,
    /// Seed of the first picture.
    pub seed: u64,
    /// The model and what it computes with, in words.
    pub description: String,
    /// Calibration of the model's confidence map.
    pub calibration: Option<Calibration>,
}

impl<'a> Restorer<'a> {
    /// Loads library and model.
    ///
    /// # Errors
    /// When they cannot be used, or the parameters do not go together.
    pub fn open(options: &'a Evaluation, progress: &Progress) -> anyhow::Result<Self> {
        let context = Context::new(&Library::open()?, &options.library.context_options(progress.log()))?;
        let model = context.open_model(&options.model, options.device.as_deref(), options.dtype.as_deref())?;
        let info = model.info()?;
        let has_holes =
            options.masks.is_some() || options.degradation.is_some_and(|degradation| degradation.makes_holes());
        if info.needs_mask != has_holes {
            match info.needs_mask {
                true => bail!("the model '{}' fills holes: name --masks, or --degradation box or scratches", info.id),
                false => bail!("the model '{}' fills no holes; choose another degradation, and no --masks", info.id),
            }
        }
        let (device, dtype) = model.device()?;
        let mut restorer = Self {
            options,
            model,
            scale: 1,
            particles: 1,
            seed: 0,
            calibration: info.calibration,
            description: format!("{} on {device} in {dtype}", info.id),
        };
        let job = restorer.job(&[])?;
        let number = |name: &str| -> anyhow::Result<u64> {
            job.get(name)?.parse().with_context(|| format!("'{name}' is no number"))
        };
        (restorer.particles, restorer.seed) = (number("particles")?, number("seed")?);
        // Of a picture of any size.
        restorer.scale = job.output_size(8, 8)?.0 / 8;
        Ok(restorer)
    }

    /// The values of all job parameters that are in force.
    ///
    /// # Errors
    /// Only on a defect of the library.
    pub fn parameters(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let job = self.job(&[])?;
        let of_a_job = kds_parameters::table().iter().filter(|parameter| parameter.scope == kds_parameters::Scope::Job);
        of_a_job.map(|parameter| Ok((parameter.name, job.get(parameter.name)?))).collect()
    }

    fn job(&self, changed: &[(&str, String)]) -> anyhow::Result<Job> {
        let mut job = self.model.new_job()?;
        for (name, value) in self
            .options
            .settings
            .iter()
            .map(|(name, value)| (*name, value))
            .chain(changed.iter().map(|(name, value)| (*name, value)))
        {
            job.set(name, value)?;
        }
        Ok(job)
    }

    /// Restores the picture of a pair with these parameters in place of the evaluation's.
    ///
    /// # Errors
    /// [`Cancelled`] after Ctrl-C, and what keeps the picture from being restored.
    pub fn restore(&self, pair: &Pair, changed: &[(&str, String)], bar: &PictureBar) -> anyhow::Result<Run> {
        Ok(self.run(pair, changed, false, bar)?.0)
    }

    /// As [`Self::restore`], and the doubt of each pixel, 0 to 1: what its confidence lacks.
    ///
    /// # Errors
    /// Errors of [`Self::restore`], and a model without a confidence map for these parameters.
    pub fn restore_with_doubts(
        &self,
        pair: &Pair,
        changed: &[(&str, String)],
        bar: &PictureBar,
    ) -> anyhow::Result<(Run, Vec<f32>)> {
        self.run(pair, changed, true, bar)
    }

    fn run(
        &self,
        pair: &Pair,
        changed: &[(&str, String)],
        with_map: bool,
        bar: &PictureBar,
    ) -> anyhow::Result<(Run, Vec<f32>)> {
        interrupt::check()?;
        let mut job = self.job(changed)?;
        let (width, height) = pair.low.dimensions();
        let (out_width, out_height) = job.output_size(width, height)?;
        let mut restored = RgbImage::new(out_width, out_height);
        let input = ImageRef::packed(pair.low.as_raw(), Channels::Rgb, width, height)?;
        let mask = pair.holes.as_ref().map(|holes| ImageRef::packed(holes.as_raw(), Channels::Gray, width, height));
        let pixels = out_width as usize * out_height as usize;
        let output = ImageMut::packed(&mut restored, Channels::Rgb, out_width, out_height)?;
        let mut map: Vec<f32> = if with_map { vec![0.0; pixels] } else { Vec::new() };
        let confidence =
            with_map.then(|| ImageMut::packed(&mut map, Channels::Gray, out_width, out_height)).transpose()?;
        let guard = interrupt::cancels(job.cancel_handle());
        peak::reset();
        let start = Instant::now();
        let result = job.run(
            input,
            mask.transpose()?,
            output,
            confidence,
            Some(&mut |report| {
                bar.update(report);
                ControlFlow::Continue(())
            }),
        );
        let cost = Cost { seconds: start.elapsed().as_secs_f64(), memory: peak::bytes() };
        drop(guard);
        match result {
            Err(error) if error.status == Status::Cancelled => return Err(Cancelled.into()),
            result => result?,
        }
        map.iter_mut().for_each(|value| *value = 1.0 - *value);
        Ok((Run { picture: restored, cost }, map))
    }
}
