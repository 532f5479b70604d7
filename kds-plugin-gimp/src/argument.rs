//! The arguments of the procedures, which are the same for all three: one table that the procedure browser, the scripts
//! and the dialog read. Names, ranges and help come from the table of parameters.
//!
//! Scripts name arguments by their position in GIMP 2.10, so the table only grows at its end.

use kds_host::parameters;

use crate::translation::later;

/// One argument of a procedure, after run mode, image and drawable.
#[derive(Debug, Clone)]
pub struct Argument {
    /// For scripts.
    pub name: &'static str,
    /// For a label; the underscore is before the letter of its keyboard shortcut.
    pub label: &'static str,
    /// Help text, in English.
    pub help: &'static str,
    /// A second sentence of it, for scripts.
    pub addition: &'static str,
    /// Type and range.
    pub kind: Kind,
}

/// Values that an argument takes, and its default. For what a model has an own idea of
/// (particles, steps, strength, bandwidth), that value is outside of the useful range and leaves the choice to the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A line of text.
    Text {
        /// The value if none is given.
        default: &'static str,
    },
    /// A whole number.
    Integer {
        /// Smallest value.
        min: i32,
        /// Largest value.
        max: i32,
        /// The value if none is given.
        default: i32,
    },
    /// A number.
    Number {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
        /// The value if none is given.
        default: f64,
    },
    /// One of these, the first if none is given. GIMP 2.10 knows them by their numbers, GIMP 3 by their names.
    Choice(&'static [Choice]),
    /// Yes or no; no if nothing is given.
    Switch,
}

/// One of several.
#[derive(Debug, PartialEq, Eq)]
pub struct Choice {
    /// For scripts.
    pub name: &'static str,
    /// For a person, in English.
    pub title: &'static str,
}

const fn choice(name: &'static str, title: &'static str) -> Choice {
    Choice { name, title }
}

/// Destinations of the result, in the order of [`Output`](crate::settings::Output).
pub const OUTPUTS: &[Choice] = &[
    choice("replace", later("This layer")),
    choice("new-layer", later("New layer")),
    choice("new-image", later("New image")),
];

/// Presets of the engine, the model's own first.
pub const QUALITIES: &[Choice] = &[
    choice("balanced", later("Balanced")),
    choice("fast", later("Fast")),
    choice("best", later("Best")),
    choice("paper", later("As in the paper")),
];

/// Sides to take where the particles differ.
pub const FAVOURS: &[Choice] = &[
    choice("balanced", later("As the model does")),
    choice("detail", later("Detail")),
    choice("faithfulness", later("Faithfulness")),
];

/// Parameters that a job is given by their own names, less those that belong to a host.
pub const OF_THE_JOB: [&str; 7] = ["preset", "particles", "steps", "strength", "bandwidth", "seed", "scale"];

/// All arguments, in their order.
pub fn arguments() -> Vec<Argument> {
    let argument = |name, label, help, kind| Argument { name, label, help, addition: "", kind };
    vec![
        argument(
            "model",
            later("_Model"),
            later("Name of the model, as 'kds models' lists it. An empty text takes the first that can do this."),
            Kind::Text { default: "" },
        ),
        parameter("particles", later("Part_icles"), "0 takes the model's own value."),
        parameter("steps", later("Ste_ps"), "0 takes the model's own value."),
        parameter("strength", later("Steering _strength"), "-1 takes the model's own value."),
        parameter("bandwidth", later("_Bandwidth"), "An empty text takes the model's own value."),
        parameter("seed", later("S_eed"), ""),
        parameter("device", later("_Device"), ""),
        argument(
            "output",
            later("Result _goes to"),
            later(
                "Where the result goes: replace (0) changes the layer, new-layer (1) adds one above it, new-image (2) leaves the image alone.",
            ),
            Kind::Choice(OUTPUTS),
        ),
        argument(
            "confidence",
            later("Add a layer that shows con_fidence"),
            later("Adds a hidden layer: white where the particles agree, black where the result is invention."),
            Kind::Switch,
        ),
        parameter("preset", later("_Quality"), "By number: balanced (0), fast (1), best (2), paper (3)."),
        argument(
            "favour",
            later("Fa_vour"),
            later(
                "What counts where several restorations of the same place differ: detail takes the sharpest of them, faithfulness their mean, which errs least and is softer.",
            ),
            Kind::Choice(FAVOURS),
        ),
        argument(
            "amount",
            later("Am_ount"),
            later(
                "How much of the result is blended with the original, in percent: 100 is the result, 0 the original.",
            ),
            Kind::Integer { min: 0, max: 100, default: 100 },
        ),
        parameter("scale", later("E_nlarge"), ""),
    ]
}

/// The argument for a parameter of the engine.
fn parameter(name: &'static str, label: &'static str, addition: &'static str) -> Argument {
    // A name that the table lacks is caught by the test below.
    let (help, kind) = parameters::find(name).map_or(("", parameters::Kind::Device), |found| (found.help, found.kind));
    let kind = match (name, kind) {
        // 0 is a seed like any other.
        ("seed", _) => Kind::Integer { min: 0, max: i32::MAX, default: 0 },
        ("preset", _) => Kind::Choice(QUALITIES),
        (_, parameters::Kind::Integer { max, .. }) => {
            Kind::Integer { min: 0, max: i32::try_from(max).unwrap_or(i32::MAX), default: 0 }
        }
        (_, parameters::Kind::Number { max, .. }) => Kind::Number { min: -1.0, max, default: -1.0 },
        (_, parameters::Kind::Device) => Kind::Text { default: "auto" },
        _ => Kind::Text { default: "" },
    };
    Argument { name, label, help, addition, kind }
}

impl Argument {
    /// The whole help text for somebody who writes a script.
    pub fn help_for_scripts(&self) -> String {
        format!("{} {}", self.help, self.addition).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_names_and_help() {
        let arguments = arguments();
        for name in OF_THE_JOB.into_iter().chain(["device"]) {
            let argument = arguments.iter().find(|argument| argument.name == name).unwrap();
            assert_eq!(argument.help, parameters::find(name).unwrap().help, "{name}");
        }
        let kind = |name| arguments.iter().find(|argument| argument.name == name).unwrap().kind;
        assert_eq!(kind("particles"), Kind::Integer { min: 0, max: 64, default: 0 });
        assert_eq!(kind("strength"), Kind::Number { min: -1.0, max: 1.0, default: -1.0 });
        assert_eq!(kind("bandwidth"), Kind::Text { default: "" });
        assert_eq!(kind("device"), Kind::Text { default: "auto" });
    }

    /// Scripts of earlier versions go by the position.
    #[test]
    fn arguments_keep_their_places() {
        let names: Vec<_> = arguments().into_iter().map(|argument| argument.name).collect();
        let earlier =
            ["model", "particles", "steps", "strength", "bandwidth", "seed", "device", "output", "confidence"];
        assert_eq!(names[..earlier.len()], earlier);
        assert_eq!(names[earlier.len()..], ["preset", "favour", "amount", "scale"]);
    }

    #[test]
    fn qualities_are_the_presets_of_the_engine() {
        let names: Vec<_> = QUALITIES.iter().map(|choice| choice.name).collect();
        assert_eq!(names, parameters::PRESETS);
    }
}
