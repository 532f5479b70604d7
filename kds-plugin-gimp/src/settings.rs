//! The values of the arguments, and how they are remembered.

use crate::argument::{Argument, Choice, Kind, arguments};
use crate::failure::Failure;

/// A value for each argument, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings(Vec<(Argument, Value)>);

impl PartialEq for Argument {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// The value of one argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of [`Kind::Text`].
    Text(String),
    /// Of [`Kind::Integer`], [`Kind::Choice`] (its position) and [`Kind::Switch`] (0 or 1).
    Integer(i32),
    /// Of [`Kind::Number`].
    Number(f64),
}

/// Destination of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Into the layer.
    Replace,
    /// Into a new layer above it.
    NewLayer,
    /// Into a new image.
    NewImage,
}

impl Default for Settings {
    fn default() -> Self {
        let value = |argument: Argument| {
            let value = argument.kind.default();
            (argument, value)
        };
        Self(arguments().into_iter().map(value).collect())
    }
}

impl Kind {
    /// The value if none is given.
    pub fn default(self) -> Value {
        match self {
            Self::Text { default } => Value::Text(default.into()),
            Self::Integer { default, .. } => Value::Integer(default),
            Self::Number { default, .. } => Value::Number(default),
            Self::Choice(_) | Self::Switch => Value::Integer(0),
        }
    }
}

impl Settings {
    /// Arguments and their values, to read or to fill.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut (Argument, Value)> {
        self.0.iter_mut()
    }

    /// Arguments and their values.
    pub fn iter(&self) -> impl Iterator<Item = &(Argument, Value)> {
        self.0.iter()
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(argument, _)| argument.name == name).map(|(_, value)| value)
    }

    /// The value of a text, empty for all others.
    pub fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// The value of a whole number, a choice or a switch.
    pub fn integer(&self, name: &str) -> i32 {
        match self.value(name) {
            Some(Value::Integer(value)) => *value,
            _ => 0,
        }
    }

    /// State of a switch.
    pub fn switch(&self, name: &str) -> bool {
        self.integer(name) != 0
    }

    /// Gives an argument a value.
    pub fn set(&mut self, name: &str, new: Value) {
        if let Some((_, value)) = self.0.iter_mut().find(|(argument, _)| argument.name == name) {
            *value = new;
        }
    }

    /// Checks the numbers, which GIMP 2.10 does not.
    ///
    /// # Errors
    /// For a number that an argument does not take.
    pub fn check(&self) -> Result<(), Failure> {
        for (Argument { name, kind, .. }, value) in &self.0 {
            let wrong =
                |takes: String| Err(Failure::new(format!("the argument {name} cannot be {value}: it takes {takes}")));
            match (*kind, value) {
                (Kind::Choice(choices), Value::Integer(chosen)) if known(choices, *chosen).is_none() => {
                    let choices = choices.iter().enumerate();
                    let words: Vec<_> = choices.map(|(number, choice)| format!("{number} ({})", choice.name)).collect();
                    return wrong(words.join(", "));
                }
                (Kind::Integer { min, max, .. }, Value::Integer(number)) if !(min..=max).contains(number) => {
                    return wrong(format!("{min} to {max}"));
                }
                (Kind::Number { min, max, .. }, Value::Number(number)) if !(min..=max).contains(number) => {
                    return wrong(format!("{min} to {max}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Destination of the result.
    pub fn output(&self) -> Output {
        match self.integer("output") {
            1 => Output::NewLayer,
            2 => Output::NewImage,
            _ => Output::Replace,
        }
    }

    /// Share of the result, where it is blended with the original: 0 to 1.
    pub fn amount(&self) -> f32 {
        self.integer("amount").clamp(0, 100) as f32 / 100.0
    }

    /// The value of a parameter as the engine takes it; nothing where the model's own value is to be used.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (argument, value) = self.0.iter().find(|(argument, _)| argument.name == name)?;
        (*value != argument.kind.default()).then(|| match (argument.kind, value) {
            (Kind::Choice(choices), Value::Integer(chosen)) => known(choices, *chosen).unwrap_or_default().to_owned(),
            _ => value.to_string(),
        })
    }

    /// One line for each value, for [`Settings::recall`].
    pub fn remember(&self) -> String {
        self.0.iter().map(|(argument, value)| format!("{}={value}\n", argument.name)).collect()
    }

    /// Remembered settings. Lines that say nothing, or nothing to this version, are passed over.
    pub fn recall(text: &str) -> Self {
        let mut settings = Self::default();
        for (name, new) in text.lines().filter_map(|line| line.split_once('=')) {
            for (_, value) in settings.0.iter_mut().filter(|(argument, _)| argument.name == name) {
                let read = match value {
                    Value::Text(_) => Some(Value::Text(new.to_owned())),
                    Value::Integer(_) => new.parse().ok().map(Value::Integer),
                    Value::Number(_) => new.parse().ok().map(Value::Number),
                };
                *value = read.unwrap_or(value.clone());
            }
        }
        settings
    }
}

/// The name of a choice by its number.
fn known(choices: &[Choice], number: i32) -> Option<&'static str> {
    usize::try_from(number).ok().and_then(|number| choices.get(number)).map(|choice| choice.name)
}

impl std::fmt::Display for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // A line break would end the line of what is remembered, and no parameter takes one.
            Self::Text(text) => formatter.write_str(text.lines().next().unwrap_or_default()),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Number(value) => write!(formatter, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_recalled() {
        let mut settings = Settings::default();
        settings.set("model", Value::Text("kds-photo-x4".into()));
        settings.set("strength", Value::Number(0.25));
        settings.set("output", Value::Integer(2));
        assert_eq!(Settings::recall(&settings.remember()), settings);
        assert_eq!(settings.output(), Output::NewImage);
    }

    #[test]
    fn what_another_version_remembered_does_no_harm() {
        let settings = Settings::recall("steps=many\nphase=3\n\nparticles=7");
        let mut expected = Settings::default();
        expected.set("particles", Value::Integer(7));
        assert_eq!(settings, expected);
    }

    #[test]
    fn only_what_was_chosen_reaches_the_engine() {
        let mut settings = Settings::default();
        assert!(crate::argument::OF_THE_JOB.iter().all(|name| settings.parameter(name).is_none()));
        settings.set("strength", Value::Number(0.0));
        settings.set("steps", Value::Integer(5));
        assert_eq!(settings.parameter("strength").as_deref(), Some("0"));
        assert_eq!(settings.parameter("steps").as_deref(), Some("5"));
        settings.set("preset", Value::Integer(3));
        assert_eq!(settings.parameter("preset").as_deref(), Some("paper"));
    }

    #[test]
    fn numbers_that_stand_for_nothing_are_refused() {
        let settings = Settings::default();
        assert_eq!(settings.check(), Ok(()));
        for (name, value, part) in [
            ("output", Value::Integer(3), "1 (new-layer)"),
            ("preset", Value::Integer(-1), "3 (paper)"),
            ("amount", Value::Integer(101), "0 to 100"),
            ("strength", Value::Number(f64::NAN), "-1 to 1"),
        ] {
            let mut settings = settings.clone();
            settings.set(name, value);
            let message = settings.check().unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(part), "{message}");
        }
    }
}
