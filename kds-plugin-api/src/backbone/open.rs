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
    /// Specification as the library states it, unchecked.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::{Backbone, Tile, interface::opened};

    /// Multiplies what it is given; with a factor of 0 it panics.
    struct Multiplying(f32);

    impl Backbone for Multiplying {
        fn spec(&self) -> Spec {
            Spec { latent_std: f64::from(self.0), ..Spec::new(2, vec![0.9, 0.5, 0.1]) }
        }

        fn tile(&self, image: Tensor<'_>, mask: Option<Tensor<'_>>) -> Result<Box<dyn Tile>, Error> {
            let hidden = mask.map_or(0.0, |mask| mask.values.iter().sum());
            if hidden > 0.0 {
                return Err(Error::new(Status::INVALID_IMAGE, format!("{hidden} of {:?} are hidden", image.shape)));
            }
            assert!(self.0 != 0.0, "a factor of nothing");
            Ok(Box::new(MultiplyingTile { factor: self.0, image: image.values.to_vec() }))
        }
    }

    struct MultiplyingTile {
        factor: f32,
        image: Vec<f32>,
    }

    impl Tile for MultiplyingTile {
        fn predict(&self, x: Tensor<'_>, timestep: f64, output: TensorMut<'_>) -> Result<(), Error> {
            let sources = x.values.iter().zip(&self.image);
            for (target, (x, image)) in output.values.iter_mut().zip(sources) {
                *target = self.factor * x + image + timestep as f32;
            }
            Ok(())
        }

        fn decode(&self, latents: Tensor<'_>, output: TensorMut<'_>) -> Result<(), Error> {
            // Writes one value of four: the rest stays what the caller put there.
            output.values.iter_mut().step_by(4).zip(latents.values).for_each(|(target, value)| *target = *value);
            Ok(())
        }
    }

    /// Through the border, as out of a library.
    fn across(open: fn(&Path) -> Result<Multiplying, Error>) -> Result<OpenBackbone, Error> {
        opened(RStr::from_str("/models/a.so"), open).into_result().map(|object| OpenBackbone { object })
    }

    const SHAPE: [usize; 4] = [1, 1, 1, 3];

    #[test]
    fn tensors_cross_in_both_directions() {
        let backbone = across(|path| Ok(Multiplying(path.as_os_str().len() as f32))).unwrap();
        let spec = backbone.spec().unwrap();
        assert_eq!((spec.scale, spec.latent_std, &spec.alphas_cumprod[..]), (2, 12.0, &[0.9, 0.5, 0.1][..]));
        let tile = backbone.tile(Tensor { shape: SHAPE, values: &[0.25, 0.5, 0.75] }, None).unwrap();
        drop(backbone);
        let mut values = [0.0; 3];
        tile.predict(
            Tensor { shape: SHAPE, values: &[1.0, 2.0, 3.0] },
            7.0,
            TensorMut { shape: SHAPE, values: &mut values },
        )
        .unwrap();
        assert_eq!(values, [19.25, 31.5, 43.75]);
        let mut picture = [f32::NAN; 12];
        let output = TensorMut { shape: [1, 3, 2, 2], values: &mut picture };
        tile.decode(Tensor { shape: SHAPE, values: &[4.0, 5.0, 6.0] }, output).unwrap();
        assert_eq!((picture[0], picture[4], picture[8]), (4.0, 5.0, 6.0));
        assert_eq!(picture.iter().filter(|value| value.is_nan()).count(), 9);
    }

    #[test]
    fn errors_and_panics_cross_as_values() {
        let error = across(|path| Err(Error::new(Status::NOT_FOUND, path.display().to_string()))).err().unwrap();
        assert_eq!((error.status, error.message.as_str()), (Status::NOT_FOUND, "/models/a.so"));
        let backbone = across(|_| Ok(Multiplying(0.0))).unwrap();
        let image = Tensor { shape: SHAPE, values: &[0.0; 3] };
        let error = backbone.tile(image, Some(Tensor { shape: SHAPE, values: &[1.0, 0.0, 1.0] })).err().unwrap();
        assert_eq!((error.status, error.message.as_str()), (Status::INVALID_IMAGE, "2 of [1, 1, 1, 3] are hidden"));
        let error = backbone.tile(image, None).err().unwrap();
        assert_eq!((error.status, error.message.as_str()), (Status::PANIC, "it panicked: a factor of nothing"));
    }
}
