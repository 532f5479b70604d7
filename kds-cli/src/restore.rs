//! One picture: read, restored, written.

use std::{fs::File, ops::ControlFlow, path::Path, time::Instant};

use anyhow::bail;
use kds_host::{Context, Image, Job, Library, Model, ModelInfo, Status};

use crate::{
    colour::{self, ForModel},
    compare, confidence,
    file_kind::FileKind,
    interrupt,
    interrupt::Cancelled,
    mark::Role,
    mask,
    options::Restore,
    outputs::Claimed,
    picture::Picture,
    place,
    progress::{PictureBar, Progress},
    save, shown,
    task::Task,
};

/// A loaded model with the options for every picture.
pub struct Session<'a> {
    options: &'a Restore,
    model: Model,
    mask: Option<Picture>,
}

/// A restored picture.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// From the end of reading to the end of writing.
    pub seconds: f64,
}

impl<'a> Session<'a> {
    /// Loads the library and the model.
    ///
    /// # Errors
    /// When the library, a registry, the model or the mask cannot be used.
    pub fn open(options: &'a Restore, progress: &Progress) -> anyhow::Result<Self> {
        let context = Context::new(&Library::open()?, &options.library.context_options(progress.log()))?;
        let model = context.open_model(&options.model, options.device.as_deref(), options.dtype.as_deref())?;
        interrupt::check()?;
        let info = model.info()?;
        let mask = open_mask(options, &info, progress)?;
        let session = Self { options, model, mask };
        if options.confidence.is_some() {
            let job = session.job()?;
            if job.get("map")? != "spread" {
                let several = job.get("particles")? != "1";
                progress.note(&format!("the confidence map: {}", confidence::meaning(info.calibration, several)));
            }
        }
        Ok(session)
    }

    /// Restores one picture and writes all its files; `warnings` gets what a person should know.
    ///
    /// # Errors
    /// [`Cancelled`] after a signal; otherwise a message that names the file. No file is left or changed then.
    pub fn restore(
        &self,
        task: &Task,
        input: &Picture,
        mut files: Claimed,
        progress: &Progress,
        bar: &PictureBar,
        warnings: &mut Vec<String>,
    ) -> anyhow::Result<Done> {
        let start = Instant::now();
        let mut warn = |note: String| {
            let note = format!("{}: warning: {note}", shown::path(&task.output));
            progress.say(&note);
            warnings.push(note);
        };
        let (restored, map) = self.compute(task, input, bar).map_err(|error| name_the_file(error, &task.input))?;
        interrupt::check()?;
        task.kind.loss(input.format().depth).map(str::to_owned).into_iter().for_each(&mut warn);
        let (width, height) = (restored.image.width(), restored.image.height());
        let quality = self.options.quality;
        let write = |picture: &Picture, role: Role, path: &Path, file: &mut File| {
            let kind = if role == Role::Restored { task.kind } else { FileKind::of(path)? };
            save::write(picture, kind, role, quality, file)
        };
        let notes = files.write(Role::Restored, |path, file| write(&restored, Role::Restored, path, file))?;
        notes.into_iter().flatten().for_each(&mut warn);
        if let Some(map) = map {
            let map = Picture::of_samples(map)?;
            files.write(Role::Confidence, |path, file| write(&map, Role::Confidence, path, file))?;
        }
        files.write(Role::Comparison, |path, file| {
            let sheet = compare::side_by_side(&colour::in_srgb(input)?, &colour::in_srgb(&restored)?);
            write(&Picture::plain(sheet), Role::Comparison, path, file)
        })?;
        interrupt::check()?;
        files.publish()?;
        if place::is_standard(&task.output) {
            save::to_standard_output(&restored, task.kind, quality)?.into_iter().for_each(&mut warn);
        }
        Ok(Done { width, height, seconds: start.elapsed().as_secs_f64() })
    }

    /// Asks the library whether a picture of this size can be restored, and the formats whether they hold the result.
    ///
    /// # Errors
    /// When it takes too much memory, or is too large for the format; the message names the file.
    pub fn check_size(&self, task: &Task, width: u32, height: u32) -> anyhow::Result<()> {
        let check = || -> anyhow::Result<()> {
            let job = self.job()?;
            let (output_width, output_height) = job.output_size(width, height)?;
            task.kind.check_size(&task.output, output_width, output_height)?;
            job.estimate(width, height)?;
            Ok(())
        };
        check().map_err(|error| name_the_file(error, &task.input))
    }

    fn job(&self) -> anyhow::Result<Job> {
        let mut job = self.model.new_job()?;
        for (name, value) in &self.options.settings {
            job.set(name, value)?;
        }
        Ok(job)
    }

    fn compute(&self, task: &Task, input: &Picture, bar: &PictureBar) -> anyhow::Result<(Picture, Option<Image>)> {
        if let Some(mask) = &self.mask {
            check_mask_size(mask, input)?;
        }
        let mut job = self.job()?;
        let (width, height) = job.output_size(input.image.width(), input.image.height())?;
        let kind = task.kind;
        kind.check_size(&task.output, width, height)?;
        if let Some(path) = &task.compare {
            FileKind::of(path)?.check_size(path, compare::sheet_width(width), height)?;
        }
        // The library rounds once, to the depth that the file will have.
        let depth = kind.depth(input.format().depth);
        let for_model = ForModel::of(input)?;
        let mut output = Image::new(for_model.format(depth), width, height)?;
        let mut map = task.confidence.as_ref().map(|_| confidence::new_map(width, height)).transpose()?;

        let guard = interrupt::cancels(job.cancel_handle());
        let result = job.run(
            for_model.view()?,
            self.mask.as_ref().map(Picture::view).transpose()?,
            output.view_mut(),
            map.as_mut().map(Image::view_mut),
            Some(&mut |report| {
                bar.update(report);
                ControlFlow::Continue(())
            }),
        );
        drop(guard);
        match result {
            Err(error) if error.status == Status::Cancelled => return Err(Cancelled.into()),
            result => result?,
        }
        let mut restored = for_model.finish(output, self.mask.as_ref(), depth)?;
        // The profile is no metadata: without it the colours are others.
        if self.options.strip {
            restored.metadata.strip();
        }
        Ok((restored, map))
    }
}

/// Puts the file's name before an error that does not stand for the whole run.
fn name_the_file(error: anyhow::Error, file: &Path) -> anyhow::Error {
    if error.is::<Cancelled>() { error } else { error.context(shown::path(file)) }
}

/// Reads the mask that the model needs; grey, whatever it was.
fn open_mask(options: &Restore, model: &ModelInfo, progress: &Progress) -> anyhow::Result<Option<Picture>> {
    match &options.mask {
        None if model.needs_mask => bail!("the model '{}' fills holes: say where with --mask FILE", model.id),
        None => Ok(None),
        Some(path) if !model.needs_mask => {
            bail!("{}: the model '{}' takes no mask; leave --mask out", shown::path(path), model.id)
        }
        Some(path) => {
            let (mask, notes) = mask::read(path)?;
            notes.iter().for_each(|note| progress.say(note));
            Ok(Some(mask))
        }
    }
}

fn check_mask_size(mask: &Picture, input: &Picture) -> anyhow::Result<()> {
    let size = |picture: &Picture| format!("{}x{}", picture.image.width(), picture.image.height());
    if size(mask) == size(input) {
        return Ok(());
    }
    bail!("the mask has {} pixels and the picture {}; scale the mask to the picture", size(mask), size(input))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn model(needs_mask: bool) -> ModelInfo {
        ModelInfo {
            id: "fill".into(),
            title: String::new(),
            task: "inpainting".into(),
            backbone: String::new(),
            source: String::new(),
            scale: 1,
            needs_mask,
            calibration: None,
        }
    }

    #[test]
    fn masks_belong_to_models_that_need_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        let picture = Picture::plain(testing::pictures(4, 4).swap_remove(7));
        save::save(&picture, &path, 92).unwrap();
        let progress = Progress::new(1, false);

        let mut options = testing::restore_options();
        assert!(open_mask(&options, &model(false), &progress).unwrap().is_none());
        assert!(open_mask(&options, &model(true), &progress).unwrap_err().to_string().contains("--mask"));
        options.mask = Some(path);
        assert!(open_mask(&options, &model(false), &progress).unwrap_err().to_string().contains("takes no mask"));
        let mask = open_mask(&options, &model(true), &progress).unwrap().unwrap();
        assert_eq!(mask.image.color(), image::ColorType::L8);
        assert!(check_mask_size(&mask, &picture).is_ok());
        let other = Picture::plain(testing::pictures(4, 5).swap_remove(0));
        assert!(
            format!("{:#}", check_mask_size(&mask, &other).unwrap_err()).contains("4x4 pixels and the picture 4x5")
        );
    }
}
