//! The parameters of one restoration: call > the call's preset > the model's default for so many particles > model default >
//! the model's preset > engine default.

use std::collections::BTreeMap;

use kds_parameters::{MemoryBudget, Preset, Scope, Value};

use crate::backbone::{Prompt, Spec};
use crate::calibration::Calibration;
use crate::sampler::{Sampler, Trajectory};
use crate::schedule::Spacing;
use crate::steering::{Kernel, Ramp, Selection, Steering};
use crate::{Error, Result};

/// Values by name, as text, in layers: a later layer wins.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    model: BTreeMap<String, String>,
    for_particles: BTreeMap<usize, BTreeMap<String, String>>,
    call: BTreeMap<String, String>,
    calibration: Option<Calibration>,
}

impl Settings {
    /// The settings of a model that nothing was asked of yet. `defaults` have been checked by the registry.
    pub fn new(defaults: &BTreeMap<String, String>) -> Self {
        Self { model: defaults.clone(), ..Self::default() }
    }

    /// With other defaults of the model from a number of particles on, checked by the registry.
    pub fn with_particles(self, for_particles: BTreeMap<usize, BTreeMap<String, String>>) -> Self {
        Self { for_particles, ..self }
    }

    /// With the calibration of the model's confidence.
    pub fn with_calibration(self, calibration: Option<Calibration>) -> Self {
        Self { calibration, ..self }
    }

    /// Sets one parameter for the coming runs.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let parameter = kds_parameters::find(name)?;
        parameter.check(value)?;
        if parameter.scope == Scope::Model {
            return Err(Error::Conflict(format!(
                "'{name}' is fixed when the model is opened; open it again to change it"
            )));
        }
        self.call.insert(name.to_owned(), value.trim().to_owned());
        Ok(())
    }

    /// The value in force, as text.
    pub fn get(&self, name: &str) -> Result<String> {
        let mut value = kds_parameters::find(name)?.default.to_owned();
        let of_model = self.for_these_particles(name)?.or_else(|| self.model.get(name).cloned());
        for (layer, named) in [(&self.model, of_model), (&self.call, self.call.get(name).cloned())] {
            let preset = layer.get("preset").and_then(|preset| Preset::find(preset));
            value = named.or_else(|| preset?.value(name, &value)).unwrap_or(value);
        }
        Ok(value)
    }

    /// The model's default for the number of particles in force, where it has one of its own.
    fn for_these_particles(&self, name: &str) -> Result<Option<String>> {
        if self.for_particles.is_empty() || ["particles", "preset"].contains(&name) {
            return Ok(None);
        }
        let particles = self.get("particles")?.parse().unwrap_or(1);
        let holding = self.for_particles.range(..=particles).rev();
        Ok(holding.filter_map(|(_, values)| values.get(name)).next().cloned())
    }

    /// All values, typed and checked together.
    pub fn resolve(&self) -> Result<Resolved> {
        let mut resolved = Resolved::default();
        let mut map = "error";
        let (mut sampler, mut eta, mut stride) = ("ddim", 0.0, 0);
        for parameter in kds_parameters::table().iter().filter(|parameter| parameter.scope == Scope::Job) {
            let steering = &mut resolved.steering;
            match (parameter.name, parameter.check(&self.get(parameter.name)?)?) {
                // In force already: it decides what `get` gives for the others.
                ("preset", _) => {}
                ("particles", Value::Integer(value)) => resolved.particles = value as usize,
                ("steps", Value::Integer(value)) => resolved.steps = value as usize,
                ("seed", Value::Integer(value)) => resolved.seed = value as u64,
                ("scale", Value::Integer(value)) => resolved.scale = value as usize,
                ("map", Value::Choice(word)) => map = word,
                ("prompt", Value::Text(text)) => resolved.prompt.positive = text,
                ("negative", Value::Text(text)) => resolved.prompt.negative = text,
                ("guidance", Value::Number(value)) => resolved.prompt.guidance = value,
                ("tile", Value::Integer(value)) => resolved.tile = value as usize,
                ("memory", Value::Memory(value)) => resolved.memory = value,
                ("device_memory", Value::Memory(value)) => resolved.device_memory = value,
                ("sampler", Value::Choice(word)) => sampler = word,
                ("eta", Value::Number(value)) => eta = value,
                ("spacing", Value::Choice(word)) => resolved.spacing = Spacing::parse(word, 0)?,
                ("selection", Value::Text(text)) => resolved.selection = Selection::parse(&text)?,
                ("fusion", Value::Number(value)) => resolved.fusion = value,
                ("kernel", Value::Choice(word)) => steering.kernel = Kernel::parse(word)?,
                ("bandwidth", Value::Bandwidth(value)) => steering.bandwidth = value,
                ("patch", Value::Integer(value)) => steering.patch = value as usize,
                ("stride", Value::Integer(value)) => stride = value as usize,
                ("strength", Value::Number(value)) => steering.strength = value,
                ("from", Value::Number(value)) => steering.from = value,
                ("to", Value::Number(value)) => steering.to = value,
                ("ramp", Value::Choice(word)) => steering.ramp = Ramp::parse(word)?,
                ("iterations", Value::Integer(value)) => steering.iterations = value as usize,
                (name, value) => return Err(Error::Conflict(format!("the engine cannot use '{name}' = {value:?}"))),
            }
        }
        resolved.calibration = self.calibration.clone().filter(|_| map == "error");
        resolved.sampler = Sampler::parse(sampler, eta)?;
        resolved.steering.stride = if stride == 0 { resolved.steering.patch } else { stride };
        resolved.steering.validate()?;
        if let Selection::Index(index) = resolved.selection
            && index >= resolved.particles
        {
            let particles = resolved.particles;
            return Err(Error::Conflict(format!("selection 'index:{index}' needs more than {particles} particles")));
        }
        Ok(resolved)
    }
}

/// The settings of one run.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Number of particles, at least 1.
    pub particles: usize,
    /// Sampling steps, at least 1.
    pub steps: usize,
    /// Seed of all noise.
    pub seed: u64,
    /// Enlargement of the result; 0 is that of the model.
    pub scale: usize,
    /// How a step goes from one noise level to the next.
    pub sampler: Sampler,
    /// Which noise levels the steps visit.
    pub spacing: Spacing,
    /// Pull of the particles towards each other.
    pub steering: Steering,
    /// Which particle becomes the picture.
    pub selection: Selection,
    /// Standard deviation, in output pixels of the model, of the low frequencies that come from the consensus of the
    /// particles and the model's first network; 0 for none ([`crate::steering::fuse`]).
    pub fusion: f64,
    /// Text conditioning.
    pub prompt: Prompt,
    /// Side of a tile in input pixels; 0 chooses.
    pub tile: usize,
    /// Memory of the host that the run may take, beyond what the process holds.
    pub memory: MemoryBudget,
    /// Memory of the device that it may take, where the device has its own.
    pub device_memory: MemoryBudget,
    /// Calibration of the confidence map; without it the map holds the spread.
    pub calibration: Option<Calibration>,
}

impl Resolved {
    /// The path from noise to the picture with this model.
    ///
    /// # Errors
    /// [`Error::Conflict`] for more steps than the model's schedule can tell apart.
    pub fn trajectory(&self, spec: &Spec) -> Result<Trajectory> {
        self.sampler.trajectory(&spec.schedule, self.spacing.with_offset(spec.steps_offset), self.steps)
    }

    /// True where a consensus gives the picture its low frequencies: the selected particle is not the only estimate of it.
    pub(crate) fn fuses(&self, spec: &Spec) -> bool {
        self.fusion > 0.0 && (spec.estimates || (self.particles > 1 && self.selection != Selection::Mean))
    }
}

impl Default for Resolved {
    fn default() -> Self {
        Self {
            particles: 1,
            steps: 1,
            seed: 0,
            scale: 0,
            sampler: Sampler::Ddim { eta: 0.0 },
            spacing: Spacing::Trailing,
            steering: Steering::default(),
            selection: Selection::Nearest,
            fusion: 0.0,
            prompt: Prompt::default(),
            tile: 0,
            memory: MemoryBudget::Auto,
            device_memory: MemoryBudget::Auto,
            calibration: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every parameter of the table reaches its place: no name of the table is unknown here.
    #[test]
    fn the_whole_table_resolves() {
        let resolved = Settings::default().resolve().unwrap();
        let default = |name: &str| kds_parameters::find(name).unwrap().default.parse::<usize>().unwrap();
        assert_eq!(resolved.particles, default("particles"));
        assert_eq!(resolved.steps, default("steps"));
    }

    #[test]
    fn the_call_wins_over_the_model_and_the_model_over_the_engine() {
        let defaults = BTreeMap::from([("steps".to_owned(), "25".to_owned()), ("patch".to_owned(), "4".to_owned())]);
        let mut settings = Settings::new(&defaults);
        settings.set("steps", " 7 ").unwrap();
        let resolved = settings.resolve().unwrap();
        assert_eq!((resolved.steps, resolved.steering.patch, resolved.steering.stride), (7, 4, 4));
        assert_eq!(settings.get("kernel").unwrap(), "gaussian");
    }

    #[test]
    fn presets_come_after_what_is_named_beside_them() {
        let defaults =
            [("steps", "20"), ("patch", "4"), ("to", "0.5")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut settings = Settings::new(&BTreeMap::from(defaults));
        let values =
            |settings: &Settings| ["particles", "steps", "patch", "to"].map(|name| settings.get(name).unwrap());
        assert_eq!(values(&settings), ["4", "20", "4", "0.5"]);
        settings.set("preset", "best").unwrap();
        assert_eq!(values(&settings), ["16", "20", "4", "0.5"]);
        settings.set("preset", "paper").unwrap();
        assert_eq!(values(&settings), ["10", "50", "1", "0.3"]);
        settings.set("steps", "7").unwrap();
        assert_eq!(values(&settings), ["10", "7", "1", "0.3"]);
        let resolved = settings.resolve().unwrap();
        assert_eq!((resolved.steering.stride, resolved.steering.from, resolved.steering.to), (1, 1.0, 0.3));
        settings.set("preset", "balanced").unwrap();
        assert_eq!(values(&settings), ["4", "7", "4", "0.5"]);
        assert!(settings.set("preset", "worst").unwrap_err().to_string().contains("fast"));
    }

    #[test]
    fn a_model_may_have_other_defaults_for_many_particles() {
        let values = |values: &[(&str, &str)]| {
            BTreeMap::from_iter(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
        };
        let many = [(8, values(&[("strength", "0.2"), ("fusion", "0.9")])), (16, values(&[("strength", "0.1")]))];
        let mut settings =
            Settings::new(&values(&[("strength", "0.3"), ("steps", "5")])).with_particles(BTreeMap::from(many));
        let get = |settings: &Settings| ["strength", "fusion", "steps"].map(|name| settings.get(name).unwrap());
        assert_eq!(get(&settings), ["0.3", "0", "5"]);
        for (particles, expected) in [
            ("7", ["0.3", "0", "5"]),
            ("8", ["0.2", "0.9", "5"]),
            ("15", ["0.2", "0.9", "5"]),
            ("64", ["0.1", "0.9", "5"]),
        ] {
            settings.set("particles", particles).unwrap();
            assert_eq!(get(&settings), expected, "{particles} particles");
        }
        settings.set("strength", "0.7").unwrap();
        assert_eq!(get(&settings), ["0.7", "0.9", "5"]);
        // Sixteen particles, by a preset relative to the model; and a preset that is absolute.
        let mut settings =
            Settings::new(&values(&[])).with_particles(BTreeMap::from([(8, values(&[("strength", "0.2")]))]));
        settings.set("preset", "best").unwrap();
        assert_eq!(
            (settings.get("particles").unwrap(), settings.get("strength").unwrap()),
            ("16".into(), "0.2".into())
        );
        settings.set("preset", "paper").unwrap();
        assert_eq!(
            (settings.get("particles").unwrap(), settings.get("strength").unwrap()),
            ("10".into(), "0.3".into())
        );
    }

    #[test]
    fn a_model_may_suggest_a_preset() {
        let defaults = [("preset", "paper"), ("steps", "30")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut settings = Settings::new(&BTreeMap::from(defaults));
        assert_eq!((settings.get("particles").unwrap(), settings.get("steps").unwrap()), ("10".into(), "30".into()));
        settings.set("preset", "fast").unwrap();
        assert_eq!((settings.get("particles").unwrap(), settings.get("steps").unwrap()), ("2".into(), "30".into()));
        assert_eq!(settings.get("bandwidth").unwrap(), "0.3");
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let cases: [&[(&str, &str)]; 3] = [
            &[("selection", "index:4"), ("particles", "4")],
            &[("patch", "2"), ("stride", "3")],
            &[("from", "0.2"), ("to", "0.6")],
        ];
        for case in cases {
            let mut settings = Settings::default();
            for (name, value) in case {
                settings.set(name, value).unwrap();
            }
            assert!(settings.resolve().is_err(), "{case:?}");
        }
    }

    #[test]
    fn a_bad_value_is_refused_when_it_is_set() {
        assert!(Settings::default().set("steps", "0").is_err());
        assert!(Settings::default().set("stepz", "1").is_err());
    }
}
