//! A picture from its pixels to the restored ones: settings, the plan that fits the memory, and its execution.

pub mod footprint;
pub mod plan;
pub mod restore;
pub mod settings;
