//! Tasks of nodes.

/// Task of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Better pixels, as many as before.
    Restore,
    /// More pixels.
    Upscale,
    /// New pixels where a mask says so.
    Inpaint,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Restore, Self::Upscale, Self::Inpaint];

    /// Name of the node.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restore => "Restore",
            Self::Upscale => "Upscale",
            Self::Inpaint => "Inpaint",
        }
    }

    /// The word of registries for models that do it.
    pub fn of_models(self) -> &'static str {
        match self {
            Self::Restore => "restoration",
            Self::Upscale => "super-resolution",
            Self::Inpaint => "inpainting",
        }
    }
}
