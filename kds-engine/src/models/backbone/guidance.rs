//! Classifier-free guidance (Ho & Salimans, arXiv 2207.12598): a network sees every state with the negative prompt and with the
//! prompt, in one batch, and its prediction is extrapolated from the first to the second.

use std::sync::{Mutex, PoisonError};

use tch::{Kind, Tensor};

use super::{Prompt, Shared, Text, TextEncoder};
use crate::Result;

/// A text encoder that remembers the last prompt: it need not run for each tile.
pub(super) struct Prompts {
    encoder: Shared<TextEncoder>,
    last: Mutex<Option<(Prompt, Text)>>,
}

impl Prompts {
    pub fn new(encoder: TextEncoder) -> Self {
        Self { encoder: Shared(encoder), last: Mutex::default() }
    }

    /// The prompt, and with guidance above 1 the negative one before it.
    pub fn encode(&self, prompt: &Prompt) -> Result<Text> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, text)) = &*last
            && known == prompt
        {
            return Ok(text.share());
        }
        let Prompt { positive, negative, guidance } = prompt;
        let texts: &[&str] = if *guidance == 1.0 { &[positive] } else { &[negative, positive] };
        let text = Text { tokens: self.encoder.0.encode(texts)?, guidance: *guidance };
        let shared = text.share();
        *last = Some((prompt.clone(), text));
        Ok(shared)
    }
}

/// A scale that rises from 1 in pure noise to one more than `scale` at the picture, at a timestep of a training of 1000
/// (XPixelGroup/DiffBIR 3f8b530: diffbir/sampler/sampler.py `get_cfg_scale`).
pub(super) fn rising(scale: f64, timestep: f64) -> f64 {
    if scale <= 1.0 {
        return scale;
    }
    let share = ((1000.0 - timestep) / 1000.0).powi(5);
    1.0 + scale * (1.0 - (std::f64::consts::PI * share).cos()) / 2.0
}

impl Text {
    /// The guided prediction for the states `x`, `n x C x h x w`, in f32. `network` sees them once for each prompt, and the
    /// text of each, `batch x S x C`.
    pub(super) fn guide(
        &self,
        x: &Tensor,
        scale: f64,
        network: impl FnOnce(&Tensor, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let particles = x.size4()?.0;
        let (texts, length, channels) = self.tokens.size3()?;
        let tokens = self.tokens.f_unsqueeze(1)?.f_expand([texts, particles, length, channels], false)?;
        let tokens = tokens.f_reshape([texts * particles, length, channels])?;
        let output = network(&x.f_repeat([texts, 1, 1, 1])?, &tokens)?.f_to_kind(Kind::Float)?;
        if texts == 1 {
            return Ok(output.f_contiguous()?);
        }
        let (without, with) = (output.f_narrow(0, 0, particles)?, output.f_narrow(0, particles, particles)?);
        Ok(without.f_add(&with.f_sub(&without)?.f_mul_scalar(scale)?)?.f_contiguous()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rising_scale_goes_from_one_to_one_more_than_the_scale() {
        let at = |timestep| rising(4.0, timestep);
        assert!((at(1000.0) - 1.0).abs() < 1e-12 && (at(0.0) - 5.0).abs() < 1e-12);
        assert!(at(600.0) < at(300.0));
        assert_eq!(rising(1.0, 0.0), 1.0);
    }

    #[test]
    fn a_prediction_is_extrapolated_from_the_negative_prompt() {
        let _guard = tch::no_grad_guard();
        let tokens = Tensor::from_slice(&[1.0f32, 10.0]).view([2, 1, 1]);
        let text = Text { tokens, guidance: 3.0 };
        let x = Tensor::from_slice(&[0.5f32, 0.25]).view([2, 1, 1, 1]);
        // A network whose output is the state plus its text.
        let network = |x: &Tensor, text: &Tensor| Ok(x + text.unsqueeze(-1));
        let guided: Vec<f32> = Vec::try_from(text.guide(&x, 3.0, network).unwrap().view([-1])).unwrap();
        assert_eq!(guided, [0.5 + 1.0 + 3.0 * 9.0, 0.25 + 1.0 + 3.0 * 9.0]);
    }
}
