//! Properties of the operations, made from the one table of parameters.
//!
//! A property of GObject always has a value, but the model decides what nobody has said. So each has one value more than its
//! parameter, which is its default and leaves the choice to the model: the number before the range, the empty text, or the
//! choice `model`.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_int, c_uint};
use std::ptr::null;
use std::sync::{Mutex, PoisonError};

use kds_plugin_nodes::{Setting, Takes, Task, settings};

use crate::raw::{self, EnumValue, Functions, PROPERTY_FLAGS, Pointer, Type};
use crate::text;

/// Value of a property.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number; GEGL's properties have 32 bits.
    Integer(c_int),
    /// Start of random numbers, with a button in dialogs that chooses another. 0 is a seed like any other.
    Seed(c_uint),
    /// A number.
    Number(f64),
    /// A text.
    Text(CString),
    /// 0, or the number of a word from 1.
    Choice(c_int),
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

    /// # Safety
    /// A live `GValue` of the property's type.
    pub unsafe fn take(&mut self, value: Pointer, functions: &Functions) {
        // SAFETY: by the contract of this function; the text is copied.
        unsafe {
            match self {
                Self::Integer(own) => *own = (functions.g_value_get_int)(value),
                Self::Seed(own) => *own = (functions.g_value_get_uint)(value),
                Self::Number(own) => *own = (functions.g_value_get_double)(value),
                Self::Choice(own) => *own = (functions.g_value_get_enum)(value),
                Self::Text(own) => {
                    let text = (functions.g_value_get_string)(value);
                    *own = if text.is_null() { CString::default() } else { CStr::from_ptr(text).to_owned() };
                }
            }
        }
    }

    /// # Safety
    /// A live `GValue` of the property's type.
    pub unsafe fn give(&self, value: Pointer, functions: &Functions) {
        // SAFETY: by the contract of this function; the text is copied.
        unsafe {
            match self {
                Self::Integer(own) => (functions.g_value_set_int)(value, *own),
                Self::Seed(own) => (functions.g_value_set_uint)(value, *own),
                Self::Number(own) => (functions.g_value_set_double)(value, *own),
                Self::Choice(own) => (functions.g_value_set_enum)(value, *own),
                Self::Text(own) => (functions.g_value_set_string)(value, own.as_ptr()),
            }
        }
    }
}

fn narrow(value: i64) -> c_int {
    c_int::try_from(value).unwrap_or(c_int::MAX)
}

/// Help text, with the value that leaves the choice to the model.
fn help(setting: &Setting) -> String {
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

/// Gives a class the properties of a task, numbered from 1.
///
/// # Safety
/// A class that is being initialised.
pub unsafe fn install(class: Pointer, task: Task, functions: &Functions) {
    for (id, setting) in (1..).zip(settings(task)) {
        let (name, title, help) = (text(setting.name), text(setting.title), text(&help(&setting)));
        let (name, title, help, flags) = (name.as_ptr(), title.as_ptr(), help.as_ptr(), PROPERTY_FLAGS);
        // SAFETY: strings that live through the calls, which copy them; the class takes the description over.
        unsafe {
            let description = match (Value::of_model(&setting), setting.takes) {
                (Value::Integer(unset), Takes::Integer(_, max)) => {
                    (functions.g_param_spec_int)(name, title, help, unset, narrow(max), unset, flags)
                }
                (Value::Number(unset), Takes::Number(_, max)) => {
                    (functions.g_param_spec_double)(name, title, help, unset, max, unset, flags)
                }
                (Value::Choice(unset), Takes::Choice(words)) => {
                    let of = choices(setting.name, words, functions);
                    (functions.g_param_spec_enum)(name, title, help, of, unset, flags)
                }
                (Value::Seed(_), _) => (functions.gegl_param_spec_seed)(name, title, help, flags),
                _ => (functions.g_param_spec_string)(name, title, help, c"".as_ptr(), flags),
            };
            (functions.g_object_class_install_property)(class, id, description);
        }
    }
}

/// The type of a choice. All operations share it.
fn choices(name: &'static str, words: &[&str], functions: &Functions) -> Type {
    static TYPES: Mutex<BTreeMap<&str, Type>> = Mutex::new(BTreeMap::new());
    let mut types = TYPES.lock().unwrap_or_else(PoisonError::into_inner);
    *types.entry(name).or_insert_with(|| {
        // GObject keeps all of it for as long as the program runs.
        let kept = |of: &str| text(of).into_raw().cast_const();
        let unset = EnumValue { value: 0, name: kept("As the model says"), nick: kept("model") };
        let words = (1..).zip(words).map(|(value, word)| EnumValue { value, name: kept(word), nick: kept(word) });
        let end = EnumValue { value: 0, name: null(), nick: null() };
        let values: Vec<_> = std::iter::once(unset).chain(words).chain([end]).collect();
        // SAFETY: a list with its end, which is never freed.
        unsafe { (functions.g_enum_register_static)(kept(&format!("Kds-{name}")), values.leak().as_ptr()) }
    })
}

/// The values of an operation of this task if nobody says anything.
pub fn of_model(task: Task) -> Vec<(Setting, Value)> {
    settings(task).map(|setting| (setting, Value::of_model(&setting))).collect()
}

/// The values that are not left to the model, in the words of the engine.
pub fn given(values: &[(Setting, Value)]) -> Vec<(String, String)> {
    values.iter().filter_map(|(setting, value)| Some((setting.name.to_owned(), value.words(setting)?))).collect()
}

/// Sets or reads one property.
///
/// # Safety
/// A live `GValue` of the type of the property of this number.
pub unsafe fn access(values: &mut [(Setting, Value)], id: c_uint, value: Pointer, set: bool) {
    let index = (id as usize).checked_sub(1);
    let (Some((_, own)), Ok(functions)) = (index.and_then(|index| values.get_mut(index)), raw::functions()) else {
        return;
    };
    // SAFETY: by the contract of this function.
    unsafe { if set { own.take(value, functions) } else { own.give(value, functions) } }
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
                    (Value::Choice(value), Takes::Choice(words)) => *value = words.len() as c_int,
                    (Value::Text(value), Takes::Text) => *value = text("auto*2"),
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
