//! The library's side of the border: plain Rust behind it, and no panic across it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::{RErr, ROk, ROption, RStr};

use super::interface::{
    Answer, BackboneInterface, BackboneInterface_TO, BackboneObject, TensorData, TensorMutData, TileInterface,
    TileInterface_TO, TileObject,
};
use super::{Backbone, Spec, Tensor, TensorMut, Tile};
use crate::{Error, Status};

/// Opens a backbone for the border; the body of what [`export_backbone`](crate::export_backbone) exports.
pub fn opened<B: Backbone>(library: RStr<'_>, open: fn(&Path) -> Result<B, Error>) -> Answer<BackboneObject> {
    answer(|| Ok(BackboneInterface_TO::from_value(Exported(open(Path::new(library.as_str()))?), TD_Opaque)))
}

struct Exported<B>(B);

impl<B: Backbone> BackboneInterface for Exported<B> {
    fn spec(&self) -> Answer<Spec> {
        answer(|| Ok(self.0.spec()))
    }

    fn tile(&self, image: TensorData<'_>, mask: ROption<TensorData<'_>>) -> Answer<TileObject> {
        answer(|| {
            let tile = self.0.tile(read(&image), mask.as_ref().map(read).into_option())?;
            Ok(TileInterface_TO::from_value(ExportedTile(tile), TD_Opaque))
        })
    }
}

struct ExportedTile(Box<dyn Tile>);

impl TileInterface for ExportedTile {
    fn predict(&self, x: TensorData<'_>, timestep: f64, mut output: TensorMutData<'_>) -> Answer<()> {
        answer(|| self.0.predict(read(&x), timestep, write(&mut output)))
    }

    fn decode(&self, latents: TensorData<'_>, mut output: TensorMutData<'_>) -> Answer<()> {
        answer(|| self.0.decode(read(&latents), write(&mut output)))
    }
}

fn read<'a>(tensor: &'a TensorData<'_>) -> Tensor<'a> {
    Tensor { shape: tensor.shape, values: tensor.values.as_slice() }
}

fn write<'a>(tensor: &'a mut TensorMutData<'_>) -> TensorMut<'a> {
    TensorMut { shape: tensor.shape, values: tensor.values.as_mut_slice() }
}

/// Runs what an author wrote. `abi_stable` would answer a panic by ending the process.
fn answer<T>(body: impl FnOnce() -> Result<T, Error>) -> Answer<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => ROk(value),
        Ok(Err(error)) => RErr(error),
        Err(panic) => {
            let message = format!("it panicked: {}", text(&*panic));
            // Anything else that was thrown may panic again when it is dropped.
            if !(panic.is::<&str>() || panic.is::<String>()) {
                std::mem::forget(panic);
            }
            RErr(Error::new(Status::PANIC, message))
        }
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("(no message)")
}
