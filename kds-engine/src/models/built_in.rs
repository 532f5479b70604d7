//! The models that are compiled into the library.

use crate::backbone::{BuiltInFile, ModelFiles};

/// The registry file of the models that are compiled in.
pub(super) const REGISTRY: &str = include_str!("../../../models/registry.toml");

/// A model folder, compiled in.
macro_rules! built_in {
    ($name:literal $(, $further:literal)*) => {
        (
            $name,
            &[
                built_in_file!($name, "model_index.json"),
                built_in_file!($name, "unet/config.json"),
                built_in_file!($name, "unet/diffusion_pytorch_model.safetensors"),
                built_in_file!($name, "scheduler/scheduler_config.json"),
                built_in_file!($name, "predictor/config.json"),
                built_in_file!($name, "predictor/diffusion_pytorch_model.safetensors"),
                $(built_in_file!($name, $further),)*
            ],
        )
    };
}
macro_rules! built_in_file {
    ($name:literal, $file:literal) => {
        ($file, include_bytes!(concat!("../../../models/", $name, "/", $file)))
    };
}

const FILES: &[(&str, &[BuiltInFile])] = &[
    built_in!("kds-photo-x4"),
    built_in!("kds-photo-x1", "filler/config.json", "filler/diffusion_pytorch_model.safetensors"),
];

/// The files of the compiled-in folder of this name.
pub(super) fn files(name: &str) -> Option<ModelFiles> {
    FILES.iter().find(|(id, _)| *id == name).map(|(_, files)| ModelFiles::BuiltIn(files))
}
