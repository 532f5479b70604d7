//! Properties of the operations, made from the one table of parameters.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_uint};
use std::ptr::null;
use std::sync::{Mutex, PoisonError};

use kds_plugin_nodes::value::{Value, help, narrow};
use kds_plugin_nodes::{Setting, Takes, Task, settings};

use crate::raw::{self, EnumValue, Functions, PROPERTY_FLAGS, Pointer, Type};
use crate::text;

/// # Safety
/// A live `GValue` of the property's type.
unsafe fn take(own: &mut Value, value: Pointer, functions: &Functions) {
    // SAFETY: by the contract of this function; the text is copied.
    unsafe {
        match own {
            Value::Integer(own) => *own = (functions.g_value_get_int)(value),
            Value::Seed(own) => *own = (functions.g_value_get_uint)(value),
            Value::Number(own) => *own = (functions.g_value_get_double)(value),
            Value::Choice(own) => *own = (functions.g_value_get_enum)(value),
            Value::Text(own) => {
                let text = (functions.g_value_get_string)(value);
                *own = if text.is_null() { CString::default() } else { CStr::from_ptr(text).to_owned() };
            }
        }
    }
}

/// # Safety
/// A live `GValue` of the property's type.
unsafe fn give(own: &Value, value: Pointer, functions: &Functions) {
    // SAFETY: by the contract of this function; the text is copied.
    unsafe {
        match own {
            Value::Integer(own) => (functions.g_value_set_int)(value, *own),
            Value::Seed(own) => (functions.g_value_set_uint)(value, *own),
            Value::Number(own) => (functions.g_value_set_double)(value, *own),
            Value::Choice(own) => (functions.g_value_set_enum)(value, *own),
            Value::Text(own) => (functions.g_value_set_string)(value, own.as_ptr()),
        }
    }
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
    unsafe { if set { take(own, value, functions) } else { give(own, value, functions) } }
}
