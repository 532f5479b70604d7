//! Properties of a model whose latents are pixels.

use kds_engine::backbone::Spec;
use kds_engine::footprint::Footprints;
use kds_engine::schedule::{NoiseSchedule, Prediction};
use tch::{Device, Kind};

/// It has tiles whose sides are multiples of `multiple`, predicts x0 and does nothing else that a model may do.
pub fn spec(multiple: usize) -> Spec {
    let schedule = NoiseSchedule::from_alphas_cumprod((0..100).map(|t| 1.0 - f64::from(t) / 101.0).collect());
    Spec {
        scale: 1,
        fills_holes: false,
        takes_prompt: false,
        estimates: false,
        latent_channels: 3,
        downscale: 1,
        multiple,
        largest_side: 256,
        overlap: 16,
        least_result: 0,
        context: 0,
        latent_std: 1.0,
        prediction: Prediction::X0,
        schedule: schedule.unwrap(),
        steps_offset: 0,
        activation_bytes: 0,
        footprints: Footprints::default(),
        device: Device::Cpu,
        kind: Kind::Float,
    }
}
