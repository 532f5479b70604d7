//! The simple choice between time and quality, relative to what the model itself suggests.

use kds_host::parameters;

/// Presets of time against quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// About a quarter of the time.
    Fast,
    /// Defaults of the model.
    Balanced,
    /// About four times the time.
    Best,
    /// Other numbers.
    Custom,
}

impl Preset {
    /// All of them, in the order of the dialog.
    pub const ALL: [Self; 4] = [Self::Fast, Self::Balanced, Self::Best, Self::Custom];

    /// For a person.
    pub fn title(self) -> &'static str {
        self.of_the_table().map_or("Custom (see Advanced)", |preset| preset.title)
    }

    /// Particles and steps, from those that the model suggests; none for [`Preset::Custom`].
    pub fn numbers(self, (particles, steps): (i32, i32)) -> Option<(i32, i32)> {
        let preset = self.of_the_table()?;
        let value = |name: &str, own: i32| {
            preset.value(name, &own.to_string()).and_then(|value| value.parse().ok()).unwrap_or(own)
        };
        Some((value("particles", particles), value("steps", steps)))
    }

    /// The same in the table that all doors read.
    fn of_the_table(self) -> Option<&'static parameters::Preset> {
        match self {
            Self::Fast => parameters::Preset::find("fast"),
            Self::Balanced => parameters::Preset::find("balanced"),
            Self::Best => parameters::Preset::find("best"),
            Self::Custom => None,
        }
    }

    /// The preset that these numbers are.
    pub fn of(numbers: (i32, i32), of_the_model: (i32, i32)) -> Self {
        let same = |preset: &Self| preset.numbers(of_the_model) == Some(numbers);
        // Where a model suggests one particle and one step, all are the same and the model's word counts.
        [Self::Balanced, Self::Fast, Self::Best].into_iter().find(same).unwrap_or(Self::Custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_presets_belong_together() {
        assert_eq!(Preset::Fast.numbers((4, 8)), Some((2, 4)));
        assert_eq!(Preset::Best.numbers((40, 600)), Some((64, 1000)));
        assert_eq!(Preset::Fast.numbers((1, 1)), Some((1, 1)));
        assert!(Preset::ALL.iter().all(|preset| *preset == Preset::Custom || preset.of_the_table().is_some()));
        assert_eq!(Preset::of((2, 4), (4, 8)), Preset::Fast);
        assert_eq!(Preset::of((4, 8), (4, 8)), Preset::Balanced);
        assert_eq!(Preset::of((4, 9), (4, 8)), Preset::Custom);
        assert_eq!(Preset::of((1, 1), (1, 1)), Preset::Balanced);
    }
}
