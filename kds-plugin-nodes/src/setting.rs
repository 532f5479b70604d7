//! The settings of a node, made from the one table of parameters.

use kds_host::parameters::{Group, Kind, table};

use crate::Task;

/// One setting of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Its name, lower case.
    pub name: &'static str,
    /// A few words for a label.
    pub title: &'static str,
    /// One or two sentences for a person.
    pub help: &'static str,
    /// True for those that are shown on request.
    pub is_advanced: bool,
    /// The values it takes. Where none is given, the model decides.
    pub takes: Takes,
}

/// The values that a setting takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Takes {
    /// A whole number in this range.
    Integer(i64, i64),
    /// A number in this range.
    Number(f64, f64),
    /// A text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
}

const MODEL: Setting = Setting {
    name: "model",
    title: "Model",
    help: "Name of the model, as 'kds models' lists it; where none is named, the first that does this.",
    is_advanced: false,
    takes: Takes::Text,
};

/// The settings of a task, the model first.
pub fn settings(task: Task) -> impl Iterator<Item = Setting> {
    let of_table = table().iter().filter(move |parameter| applies(task, parameter.name)).map(|parameter| Setting {
        name: parameter.name,
        title: parameter.title,
        help: parameter.help,
        is_advanced: parameter.group == Group::Advanced,
        takes: match parameter.kind {
            Kind::Integer { min, max } => Takes::Integer(min, max),
            Kind::Number { min, max } => Takes::Number(min, max),
            Kind::Choice(words) => Takes::Choice(words),
            _ => Takes::Text,
        },
    });
    std::iter::once(MODEL).chain(of_table)
}

/// Nodes give no confidence map, and only one of them another size.
fn applies(task: Task, name: &str) -> bool {
    match name {
        "map" => false,
        "scale" => task == Task::Upscale,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_of_the_table() {
        let names = |task| settings(task).map(|setting| setting.name).collect::<Vec<_>>();
        assert_eq!(names(Task::Restore)[0], "model");
        for parameter in table().iter().filter(|parameter| parameter.name != "map") {
            assert!(names(Task::Upscale).contains(&parameter.name), "{}", parameter.name);
        }
        assert!(!names(Task::Inpaint).contains(&"scale"));
        let seed = settings(Task::Restore).find(|setting| setting.name == "seed").unwrap();
        assert_eq!(seed.takes, Takes::Integer(0, i64::MAX));
    }
}
