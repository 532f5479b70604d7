//! A safe client of `libkds.so`, for every host that restores pictures with KDS.
//!
//! The library (and with it libtorch) is loaded by [`Library::open`], when a host first needs it, so that a host starts
//! at once and says in plain words when the library is not there. [`Library::worker`] leaves it to a worker process
//! instead, which keeps models loaded between hosts and whose death no host dies of. From then on all is the same:
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use kds_host::{Channels, Context, ContextOptions, Depth, Format, Image, ImageRef, Library};
//!
//! # fn main() -> Result<(), kds_host::Error> {
//! let context = Context::new(&Library::open()?, &ContextOptions::default())?;
//! let model = context.open_model("kds-photo-x4", None, None)?;
//! let mut job = model.new_job()?;
//! job.set("particles", "8")?;
//!
//! let pixels = [128u8; 64 * 64 * 3];
//! let input = ImageRef::packed(&pixels, Channels::Rgb, 64, 64)?;
//! let (width, height) = job.output_size(64, 64)?;
//! let mut output = Image::new(Format { channels: Channels::Rgb, depth: Depth::U8 }, width, height)?;
//! job.run(input, None, output.view_mut(), None, Some(&mut |progress| {
//!     println!("{} of {}", progress.done, progress.total);
//!     ControlFlow::Continue(())
//! }))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Pixel policy of the hosts
//! - Pixels go to the library as they are: grey stays grey, 16 bits stay 16 bits, alpha goes along. The library resizes
//!   alpha itself and keeps the colour of transparent pixels from bleeding into the picture.
//! - The models know sRGB. Linear light of its primaries is converted by the library, if the image says so; pixels of another
//!   space by the host, before and back after, as the `kds` command does with moxcms: this crate knows of no profiles.
//! - A rotated photograph is turned upright before it is restored, since the models know upright photographs best.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod configuration;
mod context;
mod context_options;
mod enlargement;
mod error;
mod excess;
mod image;
mod in_process;
mod info;
mod job;
mod library;
mod log;
mod model;
mod progress;
pub mod serving;
pub mod threads;
mod transport;
mod worker;

pub use context::Context;
pub use context_options::ContextOptions;
pub use enlargement::Enlargement;
pub use error::{Error, Status};
pub use image::{Alpha, Channels, Depth, Format, Image, ImageMut, ImageRef, Light, Rows, Sample, Samples};
pub use info::{Calibration, DeviceInfo, Estimate, ModelInfo, ParameterInfo, RecognisedModel};
pub use job::{CancelHandle, Job};
pub use kds_parameters as parameters;
pub use library::Library;
pub use log::{Log, LogLevel, Tell};
pub use model::Model;
pub use progress::{Progress, ProgressFn, Stage};
