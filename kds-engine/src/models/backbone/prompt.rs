//! Prompts and their encoding.

use tch::Tensor;

/// The words of a prompt, and how much they count.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// Content of the picture; may be empty.
    pub positive: String,
    /// Content that it must not have; may be empty.
    pub negative: String,
    /// Scale of classifier-free guidance (Ho & Salimans, arXiv 2207.12598), at least 1: by how much the prediction for the
    /// prompt is extrapolated away from that for the negative prompt. At 1 only the prompt counts.
    pub guidance: f64,
}

impl Default for Prompt {
    fn default() -> Self {
        Self { positive: String::new(), negative: String::new(), guidance: 1.0 }
    }
}

/// An encoded [`Prompt`].
pub struct Text {
    /// `1 x S x C`, or with guidance above 1 `2 x S x C`: the negative prompt, then the prompt.
    pub tokens: Tensor,
    /// [`Prompt::guidance`].
    pub guidance: f64,
}

impl Text {
    /// The same on shared memory.
    pub(super) fn share(&self) -> Self {
        Self { tokens: self.tokens.shallow_clone(), guidance: self.guidance }
    }
}
