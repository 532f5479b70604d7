//! Values of settings in hosts whose properties always have one, although the model has defaults of its own: each setting
//! has one value more than its parameter, which leaves the choice to the model. It is the number before the range, the empty
//! text, or the choice `model`.

use std::ffi::CString;

use crate::{Setting, Takes, Task, settings};

/// Value of a setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number; properties of hosts have 32 bits.
    Integer(i32),
    /// Start of random numbers. 0 is a seed like any other.
    Seed(u32),
    /// A number.
    Number(f64),
    /// A text.
    Text(CString),
    /// 0, or the number of a word from 1.
    Choice(i32),
}

impl Value {
    /// The value if nobody says anything.
    pub fn of_model(setting: &Setting) -> Self {
        match setting.takes {
            Takes::Integer(..) if setting.name == "seed" => Self::Seed(0),
            Takes::Integer(min, _) => Self::Integer(narrow(min) - 1),
            Takes::Number(min, _) => Self::Number(min - 1.0),
            Takes::Text => Self::Text(CString::default()),
            Takes::Choice(_) => Self::Choice(0),
        }
    }

    /// The value in the words of the engine; none where the model decides.
    pub fn words(&self, setting: &Setting) -> Option<String> {
        match (self, setting.takes) {
            (Self::Seed(value), _) => Some(value.to_string()),
            (value, _) if *value == Self::of_model(setting) => None,
            (Self::Integer(value), _) => Some(value.to_string()),
            (Self::Number(value), _) => Some(value.to_string()),
            (Self::Text(value), _) => Some(value.to_string_lossy().into_owned()),
            (Self::Choice(number), Takes::Choice(words)) => {
                let word = usize::try_from(number - 1).ok().and_then(|index| words.get(index));
                word.map(|word| (*word).to_owned())
            }
            (Self::Choice(_), _) => None,
        }
    }
}

/// A number of the table as properties of hosts hold it.
pub fn narrow(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Help text of a setting, with the value that leaves the choice to the model.
pub fn help(setting: &Setting) -> String {
    let additional = match Value::of_model(setting) {
        _ if setting.name == "model" => String::new(),
        Value::Integer(value) => format!(" {value} takes the model's own value."),
        Value::Number(value) => format!(" {value} takes the model's own value."),
        Value::Text(_) => " An empty text takes the model's own value.".to_owned(),
        Value::Choice(_) => " 'model' takes the model's own value.".to_owned(),
        Value::Seed(_) => String::new(),
    };
    format!("{}{additional}", setting.help)
}

/// The values of a task if nobody says anything.
pub fn of_model(task: Task) -> Vec<(Setting, Value)> {
    settings(task).map(|setting| (setting, Value::of_model(&setting))).collect()
}

/// The values that are not left to the model, in the words of the engine.
pub fn given(values: &[(Setting, Value)]) -> Vec<(String, String)> {
    values.iter().filter_map(|(setting, value)| Some((setting.name.to_owned(), value.words(setting)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_says_is_left_to_the_model() {
        for task in Task::ALL {
            let mut values = of_model(task);
            assert_eq!(given(&values), [("seed".to_owned(), "0".to_owned())]);
            for (setting, value) in &mut values {
                match (value, setting.takes) {
                    (Value::Integer(value), Takes::Integer(min, _)) => *value = narrow(min),
                    (Value::Number(value), Takes::Number(min, _)) => *value = min,
                    (Value::Choice(value), Takes::Choice(words)) => *value = words.len() as i32,
                    (Value::Text(value), Takes::Text) => *value = c"auto*2".into(),
                    _ => {}
                }
            }
            let given = given(&values);
            assert_eq!(given.len(), values.len());
            assert!(
                given.contains(&("strength".into(), "0".into()))
                    && given.contains(&("bandwidth".into(), "auto*2".into()))
            );
            assert!(given.contains(&("sampler".into(), "unipc".into())), "{given:?}");
        }
    }

    #[test]
    fn help_names_the_value_that_leaves_the_choice_to_the_model() {
        let of = |name: &str| help(&settings(Task::Restore).find(|setting| setting.name == name).unwrap());
        assert!(of("particles").ends_with(" 0 takes the model's own value."), "{}", of("particles"));
        assert!(of("strength").ends_with(" -1 takes the model's own value."), "{}", of("strength"));
        assert!(of("sampler").ends_with(" 'model' takes the model's own value."), "{}", of("sampler"));
    }
}
