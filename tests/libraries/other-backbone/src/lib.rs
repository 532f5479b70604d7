//! For tests: a library that claims to hold a backbone but whose function has another type.
#![allow(missing_docs, non_camel_case_types)] // In what abi_stable derives.

use abi_stable::library::RootModule;
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::{StableAbi, declare_root_module_statics, export_root_module, package_version_strings};

/// Called as the real one is.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = BackboneModule_Ref, prefix_fields = BackboneModule_Prefix)))]
pub struct BackboneModule {
    /// Gives a number, where the real one gives a backbone.
    #[sabi(last_prefix_field)]
    pub open: extern "C" fn() -> u32,
}

impl RootModule for BackboneModule_Ref {
    declare_root_module_statics! {BackboneModule_Ref}
    const BASE_NAME: &'static str = "kds_backbone";
    const NAME: &'static str = "kds-backbone";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

#[export_root_module]
fn root_module() -> BackboneModule_Ref {
    BackboneModule { open: answer }.leak_into_prefix()
}

extern "C" fn answer() -> u32 {
    42
}
