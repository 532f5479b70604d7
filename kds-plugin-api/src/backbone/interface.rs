//! The border itself, in types whose layout both compilers agree upon: what a library exports and KDS calls.
//!
//! An author of a backbone needs none of it: [`Backbone`](super::Backbone) is the same in plain Rust. The rules are those
//! of [`restorer::interface`](crate::restorer::interface).
#![allow(missing_docs, non_camel_case_types, non_local_definitions)] // In what abi_stable derives.

use abi_stable::library::RootModule;
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RBox, ROption, RSlice, RSliceMut, RStr};
use abi_stable::{StableAbi, declare_root_module_statics, package_version_strings, sabi_trait};

use super::Spec;
pub use super::export::opened;
pub use crate::restorer::interface::Answer;

/// Exports of a library with a backbone.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = BackboneModule_Ref, prefix_fields = BackboneModule_Prefix)))]
pub struct BackboneModule {
    /// Opens the model; is given the path of the library.
    #[sabi(last_prefix_field)]
    pub open: extern "C" fn(RStr<'_>) -> Answer<BackboneObject>,
}

impl RootModule for BackboneModule_Ref {
    declare_root_module_statics! {BackboneModule_Ref}
    const BASE_NAME: &'static str = "kds_backbone";
    const NAME: &'static str = "kds-backbone";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// True for the name of a root module of this interface.
pub const fn is_loader_name(name: &str) -> bool {
    let (name, expected) = (name.as_bytes(), abi_stable::library::ROOT_MODULE_LOADER_NAME.as_bytes());
    let mut index = 0;
    while index < name.len() && index < expected.len() && name[index] == expected[index] {
        index += 1;
    }
    index == name.len() && index == expected.len()
}

/// The root module with this function.
pub fn module(open: extern "C" fn(RStr<'_>) -> Answer<BackboneObject>) -> BackboneModule_Ref {
    BackboneModule { open }.leak_into_prefix()
}

/// [`super::Tensor`].
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct TensorData<'a> {
    pub shape: [usize; 4],
    pub values: RSlice<'a, f32>,
}

/// [`super::TensorMut`].
#[repr(C)]
#[derive(StableAbi)]
pub struct TensorMutData<'a> {
    pub shape: [usize; 4],
    pub values: RSliceMut<'a, f32>,
}

/// [`super::Backbone`].
#[sabi_trait]
pub trait BackboneInterface: Send + Sync {
    /// Specification of the model.
    fn spec(&self) -> Answer<Spec>;
    /// Looks at a piece of a picture.
    #[sabi(last_prefix_field)]
    fn tile(&self, image: TensorData<'_>, mask: ROption<TensorData<'_>>) -> Answer<TileObject>;
}

/// [`super::Tile`].
#[sabi_trait]
pub trait TileInterface: Send + Sync {
    /// The network's output.
    fn predict(&self, x: TensorData<'_>, timestep: f64, output: TensorMutData<'_>) -> Answer<()>;
    /// The picture of finished latents.
    #[sabi(last_prefix_field)]
    fn decode(&self, latents: TensorData<'_>, output: TensorMutData<'_>) -> Answer<()>;
}

/// A backbone that KDS owns.
pub type BackboneObject = BackboneInterface_TO<'static, RBox<()>>;
/// A tile that KDS owns.
pub type TileObject = TileInterface_TO<'static, RBox<()>>;
