//! For tests: a `libkds.so` that claims the version of `kds-plugin-api` but has a field of another type.
#![allow(missing_docs, non_camel_case_types)] // In what abi_stable derives.

use abi_stable::library::RootModule;
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::{StableAbi, declare_root_module_statics, export_root_module, package_version_strings};

/// Called as the real one is.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = RestorerModule_Ref, prefix_fields = RestorerModule_Prefix)))]
pub struct RestorerModule {
    /// A number, where the real one gives a string.
    pub version: extern "C" fn() -> u32,
    /// As long as the real one.
    pub parameters: extern "C" fn() -> u32,
    /// As long as the real one.
    #[sabi(last_prefix_field)]
    pub new_context: extern "C" fn() -> u32,
}

impl RootModule for RestorerModule_Ref {
    declare_root_module_statics! {RestorerModule_Ref}
    const BASE_NAME: &'static str = "kds";
    const NAME: &'static str = "kds-restorer";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

#[export_root_module]
fn root_module() -> RestorerModule_Ref {
    RestorerModule { version: answer, parameters: answer, new_context: answer }.leak_into_prefix()
}

extern "C" fn answer() -> u32 {
    42
}
