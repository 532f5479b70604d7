//! The one table of parameters. The engine checks values against it, and the command line, the C interface and every
//! host build their options, ranges and help texts from it. It depends on nothing, so that a host may read it at its
//! start without loading libtorch.

mod confidence;
mod preset;
mod value;

pub use confidence::{ERROR_RANGE, ERROR_WINDOW, expected_error};
pub use preset::{PRESETS, Preset};
pub use value::{Bandwidth, InvalidParameter, MemoryBudget, Value, parse_bytes, plain};

/// All parameters, in the order in which a dialog shows them.
pub fn table() -> &'static [Parameter] {
    TABLE
}

/// The parameter of this name, or an error that lists the names there are.
pub fn find(name: &str) -> Result<&'static Parameter, InvalidParameter> {
    TABLE.iter().find(|parameter| parameter.name == name).ok_or_else(|| InvalidParameter::UnknownName {
        name: plain(name),
        known: TABLE.iter().map(|p| p.name).collect::<Vec<_>>().join(", "),
    })
}

/// One parameter: what it is called, what it takes, and what it does.
#[derive(Debug)]
pub struct Parameter {
    /// The name used by every door: lower case, no spaces.
    pub name: &'static str,
    /// A few words for a label.
    pub title: &'static str,
    /// One or two sentences for a person.
    pub help: &'static str,
    /// The values it takes.
    pub kind: Kind,
    /// The value used when neither the call nor the model names one; it passes [`Parameter::check`].
    pub default: &'static str,
    /// Audience: shown at first, or among the advanced.
    pub group: Group,
    /// Owner of the value: a job, or a model.
    pub scope: Scope,
}

/// The values that a parameter takes. Ranges are inclusive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A whole number.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A finite number.
    Number {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `auto`, `auto*FACTOR` or a positive number: see [`Bandwidth`].
    Bandwidth,
    /// `auto` or a number of bytes with an optional unit: see [`MemoryBudget`].
    Memory,
    /// `nearest`, `mean`, `medoid`, `sharpest` or `index:K`.
    Selection,
    /// `auto`, `cpu`, `cuda` or `cuda:K`.
    Device,
    /// One line of any text.
    Line {
        /// The most characters.
        longest: usize,
    },
}

/// Audience of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Shown at once.
    Basic,
    /// Shown on request.
    Advanced,
}

/// Owner of a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Fixed when the model is opened.
    Model,
    /// May differ from one image to the next.
    Job,
}

/// Choices of `sampler`.
pub const SAMPLERS: &[&str] = &["ddim", "ddpm", "dpm++2m", "dpm++2m-sde", "dpm++2s", "euler", "heun", "unipc"];
/// Choices of `spacing`.
pub const SPACINGS: &[&str] = &["leading", "trailing", "linspace", "karras"];
/// Choices of `kernel`.
pub const KERNELS: &[&str] = &["gaussian", "epanechnikov", "laplacian"];
/// Choices of `ramp`.
pub const RAMPS: &[&str] = &["constant", "linear", "cosine"];
/// Choices of `map`.
pub const MAPS: &[&str] = &["error", "spread"];
/// Choices of `dtype`.
pub const DTYPES: &[&str] = &["auto", "f32", "bf16", "f16"];

use Group::{Advanced, Basic};

const fn job(
    name: &'static str,
    title: &'static str,
    group: Group,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Parameter {
    Parameter { name, title, help, kind, default, group, scope: Scope::Job }
}

#[rustfmt::skip]
static TABLE: &[Parameter] = &[
    job("particles", "Particles", Basic, Kind::Integer { min: 1, max: 64 }, "4",
        "Number of restorations sampled side by side. More agree better and cost proportionally more time; 1 is the plain sampler."),
    job("steps", "Steps", Basic, Kind::Integer { min: 1, max: 1000 }, "10",
        "Number of sampling steps. More steps give finer detail and cost proportionally more time."),
    job("strength", "Steering strength", Basic, Kind::Number { min: 0.0, max: 1.0 }, "0.3",
        "How far each particle moves towards where the particles agree, at every steered step. 0 switches steering off."),
    job("seed", "Seed", Basic, Kind::Integer { min: 0, max: i64::MAX }, "0",
        "Start of the random numbers. The same seed and settings give the same picture; on other processors or with other \
         threads or memory, single values may differ by one grey level."),
    job("scale", "Scale", Basic, Kind::Integer { min: 0, max: 16 }, "0",
        "Enlargement of the result, at most that of the model; 0 means that of the model."),
    job("sampler", "Sampler", Advanced, Kind::Choice(SAMPLERS), "ddim",
        "How a step goes from one noise level to the next."),
    job("eta", "Stochasticity", Advanced, Kind::Number { min: 0.0, max: 1.0 }, "0",
        "Fresh noise added at each step of the ddim sampler: 0 is deterministic, 1 is ancestral sampling."),
    job("spacing", "Timestep spacing", Advanced, Kind::Choice(SPACINGS), "trailing",
        "Which of the training noise levels the steps visit."),
    job("kernel", "Kernel", Advanced, Kind::Choice(KERNELS), "gaussian",
        "Profile of the density estimate: how agreement falls with the distance between particles."),
    job("bandwidth", "Bandwidth", Advanced, Kind::Bandwidth, "auto",
        "Width of the kernel, over the whole patch vector, in units of the latents. 'auto' takes the median distance between particles, 'auto*2' twice that."),
    job("patch", "Patch size", Advanced, Kind::Integer { min: 1, max: 64 }, "1",
        "Side, in latent pixels, of the patches that are compared and moved as one."),
    job("stride", "Patch stride", Advanced, Kind::Integer { min: 0, max: 64 }, "0",
        "Distance between patches in latent pixels, at most the patch size; 0 means the patch size, less means that patches overlap and are averaged."),
    job("from", "Steering from", Advanced, Kind::Number { min: 0.0, max: 1.0 }, "0.7",
        "Noise level at which steering begins, as a share of the trajectory: 1 is pure noise."),
    job("to", "Steering to", Advanced, Kind::Number { min: 0.0, max: 1.0 }, "0",
        "Noise level at which steering ends: 0 is the finished picture."),
    job("ramp", "Ramp", Advanced, Kind::Choice(RAMPS), "constant",
        "How the strength grows from the beginning of steering to its end."),
    job("iterations", "Iterations", Advanced, Kind::Integer { min: 1, max: 16 }, "1",
        "Mean-shift moves at each steered step."),
    job("selection", "Selection", Advanced, Kind::Selection, "nearest",
        "Which particle becomes the picture: 'nearest' to the mean of all, their 'mean', the 'medoid', in every place the 'sharpest', or 'index:K'."),
    job("fusion", "Fusion", Advanced, Kind::Number { min: 0.0, max: 64.0 }, "0",
        "Coarse structure from the mean of all particles and of the first network's estimate, if the model has one; fine detail from the selected particle: the boundary between the two, as a standard deviation in pixels. 0 takes all from the selected one."),
    job("map", "Confidence map", Advanced, Kind::Choice(MAPS), "error",
        "What a confidence map holds: of calibrated models the expected 'error', 51 grey levels where it is black and none where it is white; else, or always, the 'spread' of the particles."),
    job("prompt", "Prompt", Advanced, Kind::Line { longest: 2000 }, "",
        "What the picture shows, in words, for models that take a prompt."),
    job("negative", "Negative prompt", Advanced, Kind::Line { longest: 2000 }, "",
        "What the picture must not show, in words, for models that take a prompt."),
    job("guidance", "Guidance", Advanced, Kind::Number { min: 1.0, max: 30.0 }, "7.5",
        "How strongly models that take a prompt follow it; 1 leaves the negative prompt out and halves the time."),
    job("tile", "Tile size", Advanced, Kind::Integer { min: 0, max: 16384 }, "0",
        "Side of a tile in input pixels; 0 chooses the largest that fits the memory. Less than a model can do with is refused."),
    job("memory", "Memory", Advanced, Kind::Memory, "auto",
        "Memory that restoring may take beyond what the program holds, such as '2GiB'; 'auto' is half of what is free."),
    job("device_memory", "GPU memory", Advanced, Kind::Memory, "auto",
        "Memory of a GPU that restoring may take, such as '6GiB'; 'auto' is what is free."),
    Parameter { name: "device", title: "Device", scope: Scope::Model, group: Basic, kind: Kind::Device, default: "auto",
        help: "Where to compute: 'cpu', 'cuda', 'cuda:1', or 'auto' for the fittest GPU, else the CPU." },
    Parameter { name: "dtype", title: "Precision", scope: Scope::Model, group: Advanced, kind: Kind::Choice(DTYPES), default: "auto",
        help: "Number format of the network: 'f32', 'bf16', 'f16', or 'auto' for the fastest that the device does well." },
    job("preset", "Preset", Basic, Kind::Choice(PRESETS), "balanced",
        "Several parameters at once, each of which may still be named. 'balanced' is what the model suggests, 'fast' takes about a quarter of its time, 'best' four times as much; 'paper' is the setting of the paper on Kernel Density Steering."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_passes_its_own_check() {
        for parameter in table() {
            parameter.check(parameter.default).unwrap();
            assert!(parameter.help.ends_with('.'), "{}", parameter.name);
            assert_eq!(find(parameter.name).unwrap().title, parameter.title);
        }
    }

    #[test]
    fn names_are_unique() {
        for (index, parameter) in table().iter().enumerate() {
            assert!(table()[..index].iter().all(|other| other.name != parameter.name));
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = find("particle").unwrap_err().to_string();
        assert!(message.contains("'particle'") && message.contains("particles"), "{message}");
    }
}
