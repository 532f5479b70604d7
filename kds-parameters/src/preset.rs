//! Presets: several parameters by one name.

use crate::{Kind, find};

/// Choices of `preset`.
pub const PRESETS: &[&str] = &["balanced", "fast", "best", "paper"];

/// A preset by name.
#[derive(Debug, PartialEq)]
pub struct Preset {
    /// One of [`PRESETS`].
    pub name: &'static str,
    /// A few words for a label.
    pub title: &'static str,
    values: &'static [(&'static str, Change)],
}

/// Effect of a preset on a parameter.
#[derive(Debug, PartialEq)]
enum Change {
    /// This value.
    To(&'static str),
    /// A quarter of the value without the preset, at least 1.
    Quarter,
    /// Four times the value without the preset, at most what the parameter takes.
    FourTimes,
}

use Change::{FourTimes, Quarter, To};

static TABLE: &[Preset] = &[
    Preset { name: "balanced", title: "Balanced (what the model suggests)", values: &[] },
    Preset {
        name: "fast",
        title: "Fast (a quarter of the time)",
        // Particles only: kds-photo-x4 is trained for the number of steps that it suggests, and worse with any other
        // (docs/quality/README.md). In the built-in models one particle still has the first network's estimate to agree with.
        values: &[("particles", Quarter)],
    },
    Preset { name: "best", title: "Best (four times the time)", values: &[("particles", FourTimes)] },
    Preset {
        name: "paper",
        title: "As in the paper (10 particles, 50 steps)",
        // Hu et al., arXiv 2507.05604, section 4: all that steering depends on, whatever the model suggests.
        values: &[
            ("particles", To("10")),
            ("steps", To("50")),
            ("sampler", To("ddim")),
            ("eta", To("0")),
            ("kernel", To("gaussian")),
            ("bandwidth", To("0.3")),
            ("patch", To("1")),
            ("stride", To("0")),
            ("strength", To("0.3")),
            ("from", To("1")),
            ("to", To("0.3")),
            ("ramp", To("constant")),
            ("iterations", To("1")),
            ("selection", To("nearest")),
            ("fusion", To("0")),
        ],
    },
];

impl Preset {
    /// All presets.
    pub fn all() -> &'static [Self] {
        TABLE
    }

    /// The preset of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|preset| preset.name == name.trim())
    }

    /// The value of a parameter under the preset, where it has one; `without` is the value that the parameter would have
    /// without the preset.
    pub fn value(&self, parameter: &str, without: &str) -> Option<String> {
        let (_, change) = self.values.iter().find(|(name, _)| *name == parameter)?;
        let number = || without.trim().parse::<i64>().ok();
        match change {
            To(value) => Some((*value).to_owned()),
            Quarter => number().map(|number| (number / 4).max(1).to_string()),
            FourTimes => {
                let Ok(Kind::Integer { max, .. }) = find(parameter).map(|parameter| parameter.kind) else {
                    return None;
                };
                number().map(|number| number.saturating_mul(4).min(max).to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_preset_whose_values_their_parameters_take() {
        assert_eq!(Preset::all().iter().map(|preset| preset.name).collect::<Vec<_>>(), PRESETS);
        for preset in Preset::all() {
            for (name, _) in preset.values {
                let parameter = find(name).unwrap();
                parameter.check(&preset.value(name, parameter.default).unwrap()).unwrap();
            }
        }
        assert_eq!(Preset::find("better"), None);
    }

    #[test]
    fn presets_for_people_are_relative_to_the_model() {
        let value = |preset, parameter, without| Preset::find(preset).unwrap().value(parameter, without);
        assert_eq!(value("fast", "particles", "10"), Some("2".to_owned()));
        assert_eq!(value("fast", "particles", "4"), Some("1".to_owned()));
        assert_eq!(value("fast", "particles", "1"), Some("1".to_owned()));
        assert_eq!(value("best", "particles", "4"), Some("16".to_owned()));
        assert_eq!(value("best", "particles", "40"), Some("64".to_owned()));
        assert_eq!(value("best", "steps", "8"), None);
        assert_eq!(value("best", "strength", "0.3"), None);
        assert!(find("particles").is_ok() && value("balanced", "particles", "4").is_none());
    }

    #[test]
    fn the_paper_is_whole() {
        let paper = Preset::find("paper").unwrap();
        let expected = [("particles", "10"), ("bandwidth", "0.3"), ("patch", "1"), ("strength", "0.3"), ("from", "1")];
        for (name, value) in expected.into_iter().chain([("to", "0.3"), ("sampler", "ddim"), ("steps", "50")]) {
            assert_eq!(paper.value(name, "7").as_deref(), Some(value), "{name}");
        }
        assert_eq!(paper.value("seed", "7"), None);
    }
}
