//! The stable Rust interface of KDS, to both of its sides: a program in Rust loads `libkds.so` at run time and restores
//! pictures with it, as shown here; and `libkds.so` loads models that others wrote, see [`backbone`].
//!
//! Program and library may come from different Rust compilers: what crosses between them are the types of `abi_stable`,
//! whose layout is fixed and is compared when the library is loaded. Neither libtorch nor anything else of KDS is built
//! into the program.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! use kds_plugin_api::{Image, ImageMut, Images, load};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let model = load("/usr/local/lib/libkds.so")?.context(0, None)?.open("kds-photo-x4", "auto", "auto")?;
//!     let mut job = model.job()?;
//!     job.set("particles", "8")?;
//!
//!     let (width, height) = (64, 48);
//!     let pixels = vec![128u8; 3 * 64 * 48];
//!     let size = job.output_size(width, height)?;
//!     let mut restored = vec![0u8; 3 * size.width as usize * size.height as usize];
//!     let images = Images::new(
//!         Image::rgb(width, height, &pixels),
//!         ImageMut::rgb(size.width, size.height, &mut restored),
//!     );
//!     job.restore(images, |progress| {
//!         println!("{} of {} steps", progress.done, progress.total);
//!         ControlFlow::Continue(())
//!     })?;
//!     Ok(())
//! }
//! ```
//!
//! # What to know
//! - [`load`] takes the path of the file and says plainly what is wrong with it; [`Library::context`], [`Context::open`]
//!   and [`Model::job`] lead to a [`Job`], whose [`Job::restore`] works on this thread until it is done.
//! - Parameters are pairs of strings; [`Library::parameters`] lists them with range, default and help text.
//! - Errors are values: [`Error`], a [`Status`] and a message of one line. The library ends no process: a defect of its
//!   own becomes [`Status::PANIC`].
//! - To stop a run answer `Break` in the progress closure, or call [`CancelHandle::cancel`] from any thread.
//! - Pixels are yours: [`Image`] and [`ImageMut`] describe where they lie, of 8 or 16 bits or float, gray or colour, with
//!   alpha or without, and the library writes the result into them once it is complete.
//! - The library is never unloaded: libtorch keeps threads that do not outlive its code.
//!
//! # Versions
//! The version of this crate is that of the interface. A library works for every program that was built with the same
//! major version of this crate and the same or an older minor one; for any other, [`load`] gives an error.

pub mod backbone;
mod error;
mod image;
mod load;
pub mod restorer;

pub use error::{Error, Status};
pub use image::{Alpha, Format, Image, ImageMut, Sample};
pub use load::LoadError;
pub use restorer::{
    CancelHandle, Context, DeviceInfo, Estimate, Images, Job, Library, Model, ModelInfo, ParameterInfo, ParameterKind,
    Progress, Size, Stage, load,
};

/// Compiles the example of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/rust-hosts.md")]
struct Guide;

/// Items that [`export_backbone`] needs.
#[doc(hidden)]
pub use abi_stable;
