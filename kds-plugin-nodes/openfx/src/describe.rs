//! Descriptions of the plug-ins: what they take, and their parameters from the one table.

use std::ffi::{CStr, CString};
use std::ptr::null_mut;

use kds_plugin_nodes::value::{self, Value, help, narrow};
use kds_plugin_nodes::{Setting, Takes, Task};

use crate::host::{Properties, Suites, text};
use crate::raw::{self, Handle};

/// Name of the clip that holds a mask.
pub const MASK: &CStr = c"Mask";
/// Name of the parameter that tells how a clip's values are meant. It is none of the table: other hosts know that of themselves.
pub const LINEAR: &CStr = c"linear";
/// Pages of parameters, and the words above them.
const PAGES: [(&CStr, &CStr, bool); 2] = [(c"controls", c"Controls", false), (c"advanced", c"Advanced", true)];

/// Describes a plug-in, whatever it is used for.
///
/// # Safety
/// A live effect.
pub unsafe fn plugin(effect: Handle, task: Task, suites: &Suites) -> Result<(), String> {
    let mut set = null_mut();
    // SAFETY: by the contract of this function.
    let properties = unsafe {
        check((suites.effect.get_property_set)(effect, &raw mut set), "the properties of the effect")?;
        suites.properties(set)
    };
    let (label, description) = match task {
        Task::Inpaint => (c"KDS Inpaint", c"Fills what the mask shows; without a mask, what is transparent."),
        _ => (c"KDS Restore", c"Restores pictures: sharper, with less noise and fewer traces of compression."),
    };
    for name in [raw::LABEL, raw::SHORT_LABEL, raw::LONG_LABEL] {
        properties.set_string(name, 0, label);
    }
    properties.set_string(raw::DESCRIPTION, 0, description);
    properties.set_string(raw::VERSION_LABEL, 0, &text(env!("CARGO_PKG_VERSION")));
    properties.set_string(raw::GROUPING, 0, c"KDS");
    properties.set_strings(raw::SUPPORTED_CONTEXTS, &[raw::FILTER, raw::GENERAL]);
    properties.set_strings(raw::SUPPORTED_DEPTHS, &[raw::BYTE, raw::SHORT, raw::FLOAT]);
    // Every pixel depends on all others.
    properties.set_int(raw::SUPPORTS_TILES, 0);
    properties.set_int(raw::SUPPORTS_MULTI_RESOLUTION, 1);
    properties.set_string(raw::THREAD_SAFETY, 0, raw::INSTANCE_SAFE);
    properties.set_int(raw::FRAME_THREADING, 0);
    Ok(())
}

/// Describes clips and parameters for one use.
///
/// # Safety
/// A live effect, and the arguments of the host, or null.
pub unsafe fn in_context(effect: Handle, arguments: Handle, task: Task, suites: &Suites) -> Result<(), String> {
    // SAFETY: by the contract of this function.
    let context = unsafe { suites.properties(arguments) }.string(raw::CONTEXT);
    let clip = |name: &CStr, components: &[&CStr]| -> Result<Properties, String> {
        let mut set = null_mut();
        // SAFETY: as above.
        let properties = unsafe {
            check((suites.effect.clip_define)(effect, name.as_ptr(), &raw mut set), "a clip")?;
            suites.properties(set)
        };
        properties.set_strings(raw::SUPPORTED_COMPONENTS, components);
        properties.set_int(raw::SUPPORTS_TILES, 0);
        Ok(properties)
    };
    clip(raw::SOURCE, &[raw::RGBA, raw::RGB])?;
    clip(raw::OUTPUT, &[raw::RGBA, raw::RGB])?;
    // In the context of a filter hosts connect one clip only.
    if context.as_deref() == Some(raw::GENERAL) {
        let mask = clip(MASK, &[raw::ALPHA, raw::RGBA, raw::RGB])?;
        mask.set_int(raw::OPTIONAL, 1);
        mask.set_int(raw::IS_MASK, 1);
    }
    let mut parameters = null_mut();
    // SAFETY: as above.
    unsafe {
        check((suites.effect.get_param_set)(effect, &raw mut parameters), "the parameters of the effect")?;
        for (setting, value) in value::of_model(task) {
            parameter(parameters, &setting, &value, suites)?;
        }
        let linear = define(parameters, raw::BOOLEAN, LINEAR, suites)?;
        linear.set_string(raw::LABEL, 0, c"Linear light");
        let hint = c"Values of the clip grow as the light does, as many compositing programs compute; else they are encoded as sRGB.";
        linear.set_string(raw::HINT, 0, hint);
        linear.set_int(raw::ANIMATES, 0);
        linear.set_int(raw::DEFAULT, 0);
        for (name, label, is_advanced) in PAGES {
            let page = define(parameters, raw::PAGE, name, suites)?;
            page.set_string(raw::LABEL, 0, label);
            let settings = value::of_model(task).into_iter().filter(|(setting, _)| setting.is_advanced == is_advanced);
            let mut names: Vec<CString> = settings.map(|(setting, _)| text(setting.name)).collect();
            if !is_advanced {
                names.push(LINEAR.to_owned());
            }
            page.set_strings(raw::PAGE_CHILD, &names.iter().map(CString::as_c_str).collect::<Vec<_>>());
        }
    }
    Ok(())
}

/// # Safety
/// A live set of parameters that is being described.
unsafe fn parameter(set: Handle, setting: &Setting, unset: &Value, suites: &Suites) -> Result<(), String> {
    let kind = match unset {
        Value::Integer(_) | Value::Seed(_) => raw::INTEGER,
        Value::Number(_) => raw::DOUBLE,
        Value::Choice(_) => raw::CHOICE,
        Value::Text(_) => raw::STRING,
    };
    // SAFETY: by the contract of this function.
    let properties = unsafe { define(set, kind, &text(setting.name), suites)? };
    properties.set_string(raw::LABEL, 0, &text(setting.title));
    properties.set_string(raw::HINT, 0, &text(&help(setting)));
    properties.set_int(raw::ANIMATES, 0);
    match (unset, setting.takes) {
        (Value::Number(unset), Takes::Number(_, max)) => {
            properties.set_double(raw::DEFAULT, 0, *unset);
            for (name, value) in [(raw::MINIMUM, *unset), (raw::MAXIMUM, max)] {
                properties.set_double(name, 0, value);
            }
            for (name, value) in [(raw::DISPLAY_MINIMUM, *unset), (raw::DISPLAY_MAXIMUM, max)] {
                properties.set_double(name, 0, value);
            }
        }
        (Value::Choice(unset), Takes::Choice(words)) => {
            // The default is one of the options, so these come first.
            properties.set_string(raw::CHOICE_OPTION, 0, c"model");
            for (index, word) in (1..).zip(words) {
                properties.set_string(raw::CHOICE_OPTION, index, &text(word));
            }
            properties.set_int(raw::DEFAULT, *unset);
        }
        (Value::Text(_), _) => {
            properties.set_string(raw::STRING_MODE, 0, raw::SINGLE_LINE);
            properties.set_string(raw::DEFAULT, 0, c"");
        }
        (unset, Takes::Integer(_, max)) => {
            let unset = if let Value::Integer(unset) = unset { *unset } else { 0 };
            properties.set_int(raw::DEFAULT, unset);
            for (name, value) in [(raw::MINIMUM, unset), (raw::MAXIMUM, narrow(max))] {
                properties.set_int(name, value);
            }
            for (name, value) in [(raw::DISPLAY_MINIMUM, unset), (raw::DISPLAY_MAXIMUM, narrow(max))] {
                properties.set_int(name, value);
            }
        }
        _ => {}
    }
    Ok(())
}

/// # Safety
/// A live set of parameters that is being described.
unsafe fn define(set: Handle, kind: &CStr, name: &CStr, suites: &Suites) -> Result<Properties, String> {
    let mut properties = null_mut();
    // SAFETY: by the contract of this function.
    unsafe {
        let status = (suites.parameter.define)(set, kind.as_ptr(), name.as_ptr(), &raw mut properties);
        check(status, &format!("the parameter {}", name.to_string_lossy()))?;
        Ok(suites.properties(properties))
    }
}

fn check(status: raw::Status, what: &str) -> Result<(), String> {
    if status == raw::OK { Ok(()) } else { Err(format!("the host does not take {what} (status {status})")) }
}
