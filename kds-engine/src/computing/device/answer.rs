//! A number computed on the device, read without waiting for all of its work.

use tch::{Device, Tensor};

use super::libtorch;
use crate::Result;

/// What became of a tensor of one number. On a GPU it is copied when the work queued before it is done; the GPU goes on
/// meanwhile, where more work has been queued.
pub struct Answer(State);

enum State {
    Known(f64),
    Awaited(libtorch::Answer),
}

impl Answer {
    /// Asks for the value of a tensor of one f64.
    pub fn ask(number: &Tensor) -> Result<Self> {
        Ok(Self(match number.device() {
            Device::Cuda(_) => State::Awaited(libtorch::Answer::ask(number)?),
            _ => State::Known(number.f_double_value(&[])?),
        }))
    }

    /// The value, at once where it is known.
    pub fn known(&self) -> Option<f64> {
        match self.0 {
            State::Known(value) => Some(value),
            State::Awaited(_) => None,
        }
    }

    /// The value; waits until the device has come to it.
    pub fn get(&self) -> Result<f64> {
        match &self.0 {
            State::Known(value) => Ok(*value),
            State::Awaited(answer) => answer.get(),
        }
    }
}
