//! Values: text in, checked and typed out.

use crate::{Kind, Parameter};

impl Parameter {
    /// Reads and checks a value given as text. Surrounding white space is ignored.
    pub fn check(&self, text: &str) -> Result<Value, InvalidParameter> {
        self.parse(text.trim()).ok_or_else(|| InvalidParameter::BadValue {
            name: self.name,
            value: plain(text),
            expected: self.kind.expected(),
        })
    }

    fn parse(&self, text: &str) -> Option<Value> {
        match self.kind {
            Kind::Integer { min, max } => {
                text.parse().ok().filter(|value| (min..=max).contains(value)).map(Value::Integer)
            }
            Kind::Number { min, max } => {
                // A range holds no NaN and no infinity.
                text.parse().ok().filter(|value| (min..=max).contains(value)).map(Value::Number)
            }
            Kind::Choice(words) => words.iter().find(|word| **word == text).map(|word| Value::Choice(word)),
            Kind::Bandwidth => Bandwidth::parse(text).map(Value::Bandwidth),
            Kind::Memory => MemoryBudget::parse(text).map(Value::Memory),
            Kind::Selection => {
                let valid = matches!(text, "nearest" | "mean" | "medoid" | "sharpest")
                    || text.strip_prefix("index:").is_some_and(|index| index.parse::<u16>().is_ok());
                valid.then(|| Value::Text(text.to_owned()))
            }
            Kind::Line { longest } => {
                let valid = text.chars().count() <= longest && !text.contains(char::is_control);
                valid.then(|| Value::Text(text.to_owned()))
            }
            Kind::Device => {
                let valid = matches!(text, "auto" | "cpu" | "cuda")
                    || text.strip_prefix("cuda:").is_some_and(|index| index.parse::<u8>().is_ok());
                valid.then(|| Value::Text(text.to_owned()))
            }
        }
    }
}

impl Kind {
    /// The values it takes, in words: "a whole number from 1 to 64".
    pub fn expected(&self) -> String {
        match self {
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Number { min, max } => format!("a number from {min} to {max}"),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::Bandwidth => "'auto', 'auto*FACTOR' or a positive number".to_owned(),
            Kind::Memory => "'auto' or a size such as 512MiB or 2GiB".to_owned(),
            Kind::Selection => "'nearest', 'mean', 'medoid', 'sharpest' or 'index:K'".to_owned(),
            Kind::Line { longest } => format!("one line of at most {longest} characters"),
            Kind::Device => "'auto', 'cpu', 'cuda' or 'cuda:K'".to_owned(),
        }
    }
}

/// A checked value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of [`Kind::Integer`].
    Integer(i64),
    /// Of [`Kind::Number`].
    Number(f64),
    /// Of [`Kind::Choice`].
    Choice(&'static str),
    /// Of [`Kind::Bandwidth`].
    Bandwidth(Bandwidth),
    /// Of [`Kind::Memory`].
    Memory(MemoryBudget),
    /// Of the kinds that the engine reads further.
    Text(String),
}

/// Width of the kernel, over the whole patch vector, in units of the latents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bandwidth {
    /// This factor on the median heuristic (`auto` is factor 1).
    Auto(f64),
    /// A fixed, positive bandwidth.
    Fixed(f64),
}

impl Bandwidth {
    fn parse(text: &str) -> Option<Self> {
        let positive = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite() && *value > 0.0);
        match text.strip_prefix("auto") {
            Some("") => Some(Self::Auto(1.0)),
            Some(rest) => positive(rest.strip_prefix('*')?).map(Self::Auto),
            None => positive(text).map(Self::Fixed),
        }
    }
}

/// Memory budget of a restoration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryBudget {
    /// A share of what the system has free when the job starts.
    Auto,
    /// This many bytes.
    Bytes(u64),
}

impl MemoryBudget {
    fn parse(text: &str) -> Option<Self> {
        if text == "auto" { Some(Self::Auto) } else { parse_bytes(text).filter(|bytes| *bytes > 0).map(Self::Bytes) }
    }
}

/// Reads a size: a number and one of B, KB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB or K, M, G, T (powers of
/// 1024); no unit means bytes. Letter case does not matter.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit: f64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024f64.powi(2),
        "g" | "gib" => 1024f64.powi(3),
        "t" | "tib" => 1024f64.powi(4),
        _ => return None,
    };
    let bytes = number * unit;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// Text of a caller as it may stand in a message of one line: control characters as escapes, and cut where it is long.
pub fn plain(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut plain = String::new();
    for character in text.chars().take(LONGEST) {
        match character.is_control() {
            true => plain.extend(character.escape_default()),
            false => plain.push(character),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        plain.push('…');
    }
    plain
}

/// A parameter name or value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParameter {
    /// No parameter has this name.
    #[error("there is no parameter '{name}'; the parameters are {known}")]
    UnknownName {
        /// The name that was given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The value is outside what the parameter takes.
    #[error("parameter '{name}' cannot be '{value}': it takes {expected}")]
    BadValue {
        /// The parameter's name.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The values it takes, in words.
        expected: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;

    #[test]
    fn values_are_read_or_refused() {
        let table: &[(&str, &str, Option<Value>)] = &[
            ("particles", "10", Some(Value::Integer(10))),
            ("particles", " 10 ", Some(Value::Integer(10))),
            ("particles", "0", None),
            ("particles", "65", None),
            ("particles", "2.5", None),
            ("particles", "", None),
            ("strength", "0.25", Some(Value::Number(0.25))),
            ("strength", "NaN", None),
            ("strength", "inf", None),
            ("strength", "-0.1", None),
            ("sampler", "euler", Some(Value::Choice("euler"))),
            ("sampler", "Euler", None),
            ("bandwidth", "auto", Some(Value::Bandwidth(Bandwidth::Auto(1.0)))),
            ("bandwidth", "auto*2", Some(Value::Bandwidth(Bandwidth::Auto(2.0)))),
            ("bandwidth", "0.5", Some(Value::Bandwidth(Bandwidth::Fixed(0.5)))),
            ("bandwidth", "0", None),
            ("bandwidth", "nan", None),
            ("bandwidth", "auto2", None),
            ("memory", "2GiB", Some(Value::Memory(MemoryBudget::Bytes(2 << 30)))),
            ("memory", "1.5 g", Some(Value::Memory(MemoryBudget::Bytes(3 << 29)))),
            ("memory", "500MB", Some(Value::Memory(MemoryBudget::Bytes(500_000_000)))),
            ("memory", "auto", Some(Value::Memory(MemoryBudget::Auto))),
            ("memory", "0", None),
            ("memory", "lots", None),
            ("selection", "index:3", Some(Value::Text("index:3".into()))),
            ("selection", "index:", None),
            ("device", "cuda:1", Some(Value::Text("cuda:1".into()))),
            ("device", "gpu", None),
            ("prompt", " a kitten, 4k ", Some(Value::Text("a kitten, 4k".into()))),
            ("prompt", "", Some(Value::Text(String::new()))),
            ("prompt", "two\nlines", None),
            ("prompt", "bell\u{7}", None),
            ("guidance", "0.5", None),
        ];
        for (name, text, expected) in table {
            assert_eq!(find(name).unwrap().check(text).ok().as_ref(), expected.as_ref(), "{name} = {text:?}");
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_refused() {
        let prompt = find("prompt").unwrap();
        assert!(prompt.check(&"é".repeat(2000)).is_ok());
        assert!(prompt.check(&"é".repeat(2001)).unwrap_err().to_string().contains("at most 2000 characters"));
    }

    #[test]
    fn a_message_is_one_line_whatever_was_given() {
        assert_eq!(plain("a\nb\u{1b}[31mé"), "a\\nb\\u{1b}[31mé");
        assert_eq!(plain(&"x".repeat(1000)).chars().count(), 201);
        let message = find("particles").unwrap().check("1\n2").unwrap_err().to_string();
        assert!(message.contains(r"'1\n2'"), "{message}");
    }

    #[test]
    fn a_refusal_names_parameter_value_and_range() {
        let message = find("particles").unwrap().check("many").unwrap_err().to_string();
        assert_eq!(message, "parameter 'particles' cannot be 'many': it takes a whole number from 1 to 64");
    }
}
