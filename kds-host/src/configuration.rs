//! The user's registries of models, where every program of KDS looks for them.

use std::env;
use std::path::PathBuf;

/// `$XDG_CONFIG_HOME/kds`, without that variable `~/.config/kds`: the folder of `registry.toml` and `registry.d/`. `None`
/// where neither `XDG_CONFIG_HOME` nor `HOME` is set.
pub fn registries() -> Option<PathBuf> {
    let named = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    named.or_else(home).map(|folder| folder.join("kds"))
}
