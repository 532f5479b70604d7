//! The values of the arguments, and how they are remembered.

use crate::argument::{Argument, Kind, arguments};
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

    /// Destination of the result.
    ///
    /// # Errors
    /// For a number that stands for nothing.
    pub fn output(&self) -> Result<Output, Failure> {
        match self.integer("output") {
            0 => Ok(Output::Replace),
            1 => Ok(Output::NewLayer),
            2 => Ok(Output::NewImage),
            other => Err(Failure::new(format!(
                "the argument output cannot be {other}: it takes 0 (replace), 1 (new-layer) or 2 (new-image)"
            ))),
        }
    }

    /// The value of a parameter as the engine takes it; nothing where the model's own value is to be used.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (argument, value) = self.0.iter().find(|(argument, _)| argument.name == name)?;
        (*value != argument.kind.default()).then(|| value.to_string())
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
        assert_eq!(settings.output(), Ok(Output::NewImage));
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
        settings.set("output", Value::Integer(3));
        assert!(settings.output().unwrap_err().to_string().contains("new-layer"));
    }
}
