//! Description of a model.

use std::ffi::{CString, c_char};

use kds_engine::calibration::Trusted;
use kds_engine::registry::{ModelEntry, Task};

use crate::structs::Sized32;
use crate::text::text;

/// One model. Strings live as long as the context or model that it was asked of.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kds_model_info {
    /// Set by the caller to `sizeof(kds_model_info)`.
    pub struct_size: u32,
    /// Output pixels per input pixel along a side, where the job does not ask for less.
    pub scale: u32,
    /// Id for `kds_model_open`.
    pub id: *const c_char,
    /// For a person.
    pub title: *const c_char,
    /// "restoration", "super-resolution" or "inpainting".
    pub task: *const c_char,
    /// The architecture.
    pub backbone: *const c_char,
    /// "built-in" or a path.
    pub source: *const c_char,
    /// 1 where `kds_job_run` needs a mask.
    pub needs_mask: u32,
    /// 0.
    pub reserved: u32,
    /// Grey levels of 255 that a confidence of 0 stands for; confidence falls linearly with the expected absolute error. 0
    /// for a model that is not calibrated, whose confidence only falls with the spread of the particles. Since 1.1.
    pub error_range: f64,
    /// Of a calibrated model, for two particles or more: where the confidence is at least this, 0 to 1, ... Since 1.1.
    pub trusted_confidence: f64,
    /// ... the worst error of a picture, as the mean over 9 x 9 pixels, is in the mean over pictures at most so many grey
    /// levels of 255; 0 where no threshold is known. Since 1.1.
    pub trusted_error: f64,
}

// SAFETY: plain data behind a u32.
unsafe impl Sized32 for kds_model_info {
    const NAME: &'static str = "kds_model_info";
    const FIRST_SIZE: usize = 56;
}

/// The strings of a `kds_model_info`.
pub(crate) struct ModelText {
    scale: u32,
    needs_mask: bool,
    id: CString,
    title: CString,
    task: CString,
    backbone: CString,
    source: CString,
    error_range: f64,
    trusted: Option<Trusted>,
}

impl ModelText {
    pub fn new(entry: &ModelEntry) -> Self {
        Self {
            scale: entry.scale as u32,
            needs_mask: entry.task == Task::Inpainting,
            id: text(&entry.id),
            title: text(&entry.title),
            task: text(entry.task.name()),
            backbone: text(entry.backbone.name()),
            source: text(&entry.source()),
            error_range: if entry.calibration.is_some() { kds_parameters::ERROR_RANGE } else { 0.0 },
            trusted: entry.calibration.as_ref().and_then(|calibration| calibration.trusted),
        }
    }

    pub fn info(&self) -> kds_model_info {
        kds_model_info {
            struct_size: size_of::<kds_model_info>() as u32,
            scale: self.scale,
            id: self.id.as_ptr(),
            title: self.title.as_ptr(),
            task: self.task.as_ptr(),
            backbone: self.backbone.as_ptr(),
            source: self.source.as_ptr(),
            needs_mask: u32::from(self.needs_mask),
            reserved: 0,
            error_range: self.error_range,
            trusted_confidence: self.trusted.map_or(0.0, |trusted| trusted.confidence),
            trusted_error: self.trusted.map_or(0.0, |trusted| trusted.error),
        }
    }
}
