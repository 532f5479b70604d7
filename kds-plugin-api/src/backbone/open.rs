//! KDS's side of the border: a library's backbone in plain Rust again.

use std::path::Path;

use abi_stable::std_types::{ROption, RStr};

use super::interface::{BackboneModule_Ref, BackboneObject, TensorData, TensorMutData, TileObject};
use super::{Spec, Tensor, TensorMut};
use crate::load::load;
use crate::{Error, LoadError, Status};

/// Loads the library in this very file and opens its backbone. It is never unloaded.
///
/// # Errors
/// The outer one says that the file is no backbone, the inner one is the backbone's own.
pub fn open(library: &Path) -> Result<Result<OpenBackbone, Error>, LoadError> {
    let module: BackboneModule_Ref = load(library)?;
    let Some(path) = library.to_str() else {
        let message = format!("the path of the library {} is not UTF-8; rename the file", library.display());
        return Ok(Err(Error::new(Status::INVALID_ARGUMENT, message)));
    };
    Ok(module.open()(RStr::from_str(path)).into_result().map(|object| OpenBackbone { object }))
}

/// A backbone of a library.
pub struct OpenBackbone {
    object: BackboneObject,
}

impl OpenBackbone {
    /// What it says it is; nothing of it has been checked.
    ///
    /// # Errors
    /// [`Status::PANIC`].
    pub fn spec(&self) -> Result<Spec, Error> {
        self.object.spec().into_result()
    }

    /// [`Backbone::tile`](super::Backbone::tile).
    ///
    /// # Errors
    /// The backbone's own, or [`Status::PANIC`].
    pub fn tile(&self, image: Tensor<'_>, mask: Option<Tensor<'_>>) -> Result<OpenTile, Error> {
        let mask: ROption<_> = mask.map(data).into();
        Ok(OpenTile { object: self.object.tile(data(image), mask).into_result()? })
    }
}

/// A tile of a library's backbone.
pub struct OpenTile {
    object: TileObject,
}

impl OpenTile {
    /// [`Tile::predict`](super::Tile::predict).
    ///
    /// # Errors
    /// The backbone's own, or [`Status::PANIC`].
    pub fn predict(&self, x: Tensor<'_>, timestep: f64, output: TensorMut<'_>) -> Result<(), Error> {
        self.object.predict(data(x), timestep, data_mut(output)).into_result()
    }

    /// [`Tile::decode`](super::Tile::decode).
    ///
    /// # Errors
    /// The backbone's own, or [`Status::PANIC`].
    pub fn decode(&self, latents: Tensor<'_>, output: TensorMut<'_>) -> Result<(), Error> {
        self.object.decode(data(latents), data_mut(output)).into_result()
    }
}

fn data(tensor: Tensor<'_>) -> TensorData<'_> {
    TensorData { shape: tensor.shape, values: tensor.values.into() }
}

fn data_mut(tensor: TensorMut<'_>) -> TensorMutData<'_> {
    TensorMutData { shape: tensor.shape, values: tensor.values.into() }
}
