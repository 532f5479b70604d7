//! The controls of the dialog: a widget for each argument, and the words for what can be chosen.

use kds_host::ModelInfo;

use crate::argument::{Argument, Kind};
use crate::gtk::{Gtk, Widget};
use crate::task::Task;
use crate::translation::{later, tr};

/// Arguments with a default of the model, which is shown where nothing else was chosen.
pub const OF_THE_MODEL: [&str; 4] = ["particles", "steps", "strength", "bandwidth"];
/// Qualities from fast to slow, by their numbers.
const QUALITIES: [i32; 4] = [1, 0, 2, 3];

/// Numbers of the choices that make sense for a task, in the order of the dialog.
pub fn offered(task: Task, argument: &Argument) -> Vec<i32> {
    match (argument.name, argument.kind) {
        ("preset", _) => QUALITIES.to_vec(),
        // A filled hole belongs to its image, so that no image of its own is offered.
        ("output", _) if task == Task::Inpaint => vec![0, 1],
        (_, Kind::Choice(choices)) => (0..choices.len() as i32).collect(),
        _ => Vec::new(),
    }
}

/// The words for a choice.
fn title(task: Task, argument: &Argument, number: i32) -> String {
    let Kind::Choice(choices) = argument.kind else { return String::new() };
    match (argument.name, task, number) {
        ("output", Task::Upscale, 0) => tr("This image, which grows"),
        ("output", Task::Upscale, 1) => tr("New layer of the image, which grows"),
        _ => usize::try_from(number)
            .ok()
            .and_then(|number| choices.get(number))
            .map_or_else(String::new, |choice| tr(choice.title)),
    }
}

/// The largest enlargement of these models.
pub fn largest_scale(models: &[ModelInfo]) -> i32 {
    models.iter().filter_map(|model| i32::try_from(model.scale).ok()).max().unwrap_or(2).clamp(2, 16)
}

/// The widget for an argument.
pub fn control(gtk: &Gtk, task: Task, argument: &Argument, models: &[ModelInfo], devices: &[String]) -> Widget {
    let combo = |titles: Vec<String>| gtk.combo(titles.iter().map(String::as_str));
    match (argument.name, argument.kind) {
        ("model", _) => combo(models.iter().map(|model| tr(&model.title)).collect()),
        ("device", _) => combo(devices.to_vec()),
        ("amount", _) => gtk.slider(true),
        ("scale", _) => combo((2..=largest_scale(models)).map(|scale| format!("{scale}×")).collect()),
        // A default of the model is shown as its number, never as the value that stands for it.
        (name, Kind::Integer { min, max, .. }) => {
            let least = if OF_THE_MODEL.contains(&name) { min.max(1) } else { min };
            gtk.spin(f64::from(least), f64::from(max), 1.0, 0)
        }
        (_, Kind::Number { max, .. }) => gtk.spin(0.0, max, 0.05, 2),
        (_, Kind::Choice(_)) => {
            combo(offered(task, argument).into_iter().map(|number| title(task, argument, number)).collect())
        }
        (_, Kind::Switch) => gtk.check(&tr(argument.label)),
        (_, Kind::Text { .. }) => gtk.entry(),
    }
}

/// Purpose of a model, and where it comes from.
pub fn about(task: Task, model: &ModelInfo) -> String {
    let purpose = match (model.id.as_str(), task) {
        ("kds-photo-x1", _) => later("For noise, mild blur and JPEG artefacts; the size stays."),
        ("kds-photo-x4", _) => later("For small photographs, also noisy or compressed ones."),
        ("kds-inpaint", _) => later("For scratches, dust and small objects."),
        (_, Task::Upscale) => later("A model of your own, which enlarges."),
        (_, Task::Inpaint) => later("A model of your own, which fills what is selected."),
        (_, Task::Restore) => later("A model of your own; the size stays."),
    };
    let whence = if model.source == "built-in" { String::new() } else { format!("\n{}", model.source) };
    format!("{}{whence}", tr(purpose))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argument::arguments;

    #[test]
    fn every_choice_is_offered_where_it_makes_sense() {
        let argument = |name: &str| arguments().into_iter().find(|argument| argument.name == name).unwrap();
        assert_eq!(offered(Task::Restore, &argument("output")), [0, 1, 2]);
        assert_eq!(offered(Task::Inpaint, &argument("output")), [0, 1]);
        let mut qualities = offered(Task::Upscale, &argument("preset"));
        let titles: Vec<_> =
            qualities.iter().map(|number| title(Task::Upscale, &argument("preset"), *number)).collect();
        assert_eq!(titles, ["Fast", "Balanced", "Best", "As in the paper"]);
        qualities.sort();
        assert_eq!(qualities, [0, 1, 2, 3]);
        assert!(title(Task::Upscale, &argument("output"), 0).contains("grows"));
    }
}
