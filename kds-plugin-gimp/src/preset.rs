//! The simple choice between time and quality, relative to what the model itself suggests.

/// How long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// A quarter of the time: half the particles, half the steps.
    Fast,
    /// What the model suggests.
    Balanced,
    /// Four times the time: twice the particles, twice the steps.
    Best,
    /// Other numbers.
    Custom,
}

impl Preset {
    /// All of them, in the order of the dialog.
    pub const ALL: [Self; 4] = [Self::Fast, Self::Balanced, Self::Best, Self::Custom];

    /// For a person.
    pub fn title(self) -> &'static str {
        match self {
            Self::Fast => "Fast (a quarter of the time)",
            Self::Balanced => "Balanced (what the model suggests)",
            Self::Best => "Best (four times the time)",
            Self::Custom => "Custom (see Advanced)",
        }
    }

    /// Particles and steps, from those that the model suggests; none for [`Preset::Custom`].
    pub fn numbers(self, (particles, steps): (i32, i32)) -> Option<(i32, i32)> {
        // Fewer than two particles have nothing to agree on.
        let half = |value: i32, least: i32| (value / 2).max(least.min(value));
        match self {
            Self::Fast => Some((half(particles, 2), half(steps, 2))),
            Self::Balanced => Some((particles, steps)),
            Self::Best => Some((particles.saturating_mul(2).min(64), steps.saturating_mul(2).min(1000))),
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
        assert_eq!(Preset::of((2, 4), (4, 8)), Preset::Fast);
        assert_eq!(Preset::of((4, 8), (4, 8)), Preset::Balanced);
        assert_eq!(Preset::of((4, 9), (4, 8)), Preset::Custom);
        assert_eq!(Preset::of((1, 1), (1, 1)), Preset::Balanced);
    }
}
