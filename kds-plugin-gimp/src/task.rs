//! The three things that the plug-in does, each a procedure of GIMP. Texts are in English, to be translated where they are shown.

use crate::translation::later;

/// Tasks of the procedures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Better pixels, as many as before.
    Restore,
    /// More pixels.
    Upscale,
    /// New pixels in the selection.
    Inpaint,
}

/// Menu of all procedures.
pub const MENU: &str = "<Image>/Filters/Enhance";
/// The images that they work with; GIMP greys the entries out for others.
pub const IMAGE_TYPES: &str = "RGB*, GRAY*, INDEXED*";
/// Authors, for the procedure browser.
pub const AUTHORS: &str = "The KDS authors";
/// Under what terms, for the procedure browser.
pub const COPYRIGHT: &str = "The KDS authors, MIT or Apache-2.0";
/// When, for the procedure browser.
pub const DATE: &str = "2026";

impl Task {
    /// All of them, in the order of the menu.
    pub const ALL: [Self; 3] = [Self::Restore, Self::Upscale, Self::Inpaint];

    /// The task of this procedure.
    pub fn of_procedure(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.procedure() == name)
    }

    /// Name of the procedure.
    pub fn procedure(self) -> &'static str {
        match self {
            Self::Restore => "plug-in-kds-restore",
            Self::Upscale => "plug-in-kds-upscale",
            Self::Inpaint => "plug-in-kds-inpaint",
        }
    }

    /// Name in registries.
    pub fn of_models(self) -> &'static str {
        match self {
            Self::Restore => "restoration",
            Self::Upscale => "super-resolution",
            Self::Inpaint => "inpainting",
        }
    }

    /// The entry in the menu.
    pub fn menu_label(self) -> &'static str {
        match self {
            Self::Restore => later("Rest_ore (KDS)…"),
            Self::Upscale => later("_Upscale (KDS)…"),
            Self::Inpaint => later("_Inpaint Selection (KDS)…"),
        }
    }

    /// The title of the dialog, and the beginning of progress.
    pub fn title(self) -> &'static str {
        match self {
            Self::Restore => later("Restore"),
            Self::Upscale => later("Upscale"),
            Self::Inpaint => later("Inpaint"),
        }
    }

    /// Suffix to the name of the layer that it was called for.
    pub fn result(self) -> &'static str {
        match self {
            Self::Restore => later("restored"),
            Self::Upscale => later("upscaled"),
            Self::Inpaint => later("inpainted"),
        }
    }

    /// One sentence for the procedure browser and the menu's tooltip.
    pub fn blurb(self) -> &'static str {
        match self {
            Self::Restore => later("Remove noise, blur and compression artefacts from a photograph"),
            Self::Upscale => later("Enlarge a photograph and make up for the missing detail"),
            Self::Inpaint => later("Fill the selection with what could be there"),
        }
    }

    /// The rest of the documentation.
    pub fn help(self) -> &'static str {
        match self {
            Self::Restore => later(
                "Samples several restorations of the layer side by side with a diffusion model and steers them to where they agree (Kernel Density Steering). With a selection only that changes, and its feathered edges blend. Size, alpha channel and colour profile stay. Returns the image and the layer that hold the result.",
            ),
            Self::Upscale => later(
                "Samples several enlargements of the layer side by side with a diffusion model and steers them to where they agree (Kernel Density Steering). The image grows with all its layers, or the result becomes a new image. With a selection only that gets new detail; what is outside is enlarged by interpolation. Returns the image and the layer that hold the result.",
            ),
            Self::Inpaint => later(
                "Samples several fillings of the selection side by side with a diffusion model and steers them to where they agree (Kernel Density Steering). Pixels outside of the selection stay as they are; feathered edges blend. Returns the image and the layer that hold the result.",
            ),
        }
    }

    /// The dialog's button; the underscore is before the letter of its keyboard shortcut.
    pub fn button(self) -> &'static str {
        match self {
            Self::Restore => later("_Restore"),
            Self::Upscale => later("_Upscale"),
            Self::Inpaint => later("I_npaint"),
        }
    }

    /// False for arguments that mean nothing to this task; the dialog leaves them out.
    pub fn uses(self, argument: &str) -> bool {
        match argument {
            "scale" => self == Self::Upscale,
            // Outside of a hole nothing changes, and within there is no original.
            "amount" => self != Self::Inpaint,
            _ => true,
        }
    }
}
