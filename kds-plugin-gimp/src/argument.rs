//! The arguments of the procedures, which are the same for all three: one table that the procedure browser, the scripts
//! and the dialog read. Names, ranges and help come from the table of parameters.

use kds_host::parameters;

/// One argument of a procedure, after run mode, image and drawable.
#[derive(Debug, Clone)]
pub struct Argument {
    /// For scripts.
    pub name: &'static str,
    /// For a label; the underscore is before the letter of its keyboard shortcut.
    pub label: &'static str,
    /// Help text.
    pub help: String,
    /// Type and range.
    pub kind: Kind,
}

/// Values that an argument takes, and the one that it has when nobody says anything. For what a model has an own idea of
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
    /// For a person.
    pub title: &'static str,
}

/// Destinations of the result, in the order of [`Output`](crate::settings::Output).
pub const OUTPUTS: &[Choice] = &[
    Choice { name: "replace", title: "This layer" },
    Choice { name: "new-layer", title: "New layer" },
    Choice { name: "new-image", title: "New image" },
];

/// Parameters that a job or a model is given, less those that belong to a host.
pub const OF_THE_JOB: [&str; 5] = ["particles", "steps", "strength", "bandwidth", "seed"];

/// All arguments, in their order.
pub fn arguments() -> Vec<Argument> {
    let or_the_model = |default: &str| format!("{default} takes the model's own value.");
    vec![
        Argument {
            name: "model",
            label: "_Model",
            help: "Name of the model, as 'kds models' lists it. An empty text takes the first that can do this.".into(),
            kind: Kind::Text { default: "" },
        },
        parameter("particles", "_Particles", &or_the_model("0")),
        parameter("steps", "S_teps", &or_the_model("0")),
        parameter("strength", "Steering _strength", &or_the_model("-1")),
        parameter("bandwidth", "_Bandwidth", &or_the_model("An empty text")),
        parameter("seed", "S_eed", ""),
        parameter("device", "_Device", ""),
        Argument {
            name: "output",
            label: "Result _goes to",
            help:
                "Where the result goes: replace (0) changes the layer, new-layer (1) adds one above it, new-image (2) \
                   leaves the image alone."
                    .into(),
            kind: Kind::Choice(OUTPUTS),
        },
        Argument {
            name: "confidence",
            label: "Add a layer that shows con_fidence",
            help: "Adds a hidden layer: white where the particles agree, black where the result is invention.".into(),
            kind: Kind::Switch,
        },
    ]
}

/// The argument for a parameter of the engine.
fn parameter(name: &'static str, label: &'static str, addition: &str) -> Argument {
    // A name that the table lacks is caught by the test below.
    let (help, kind) = parameters::find(name).map_or(("", parameters::Kind::Device), |found| (found.help, found.kind));
    let kind = match (name, kind) {
        // 0 is a seed like any other.
        ("seed", _) => Kind::Integer { min: 0, max: i32::MAX, default: 0 },
        (_, parameters::Kind::Integer { max, .. }) => {
            Kind::Integer { min: 0, max: i32::try_from(max).unwrap_or(i32::MAX), default: 0 }
        }
        (_, parameters::Kind::Number { max, .. }) => Kind::Number { min: -1.0, max, default: -1.0 },
        (_, parameters::Kind::Device) => Kind::Text { default: "auto" },
        _ => Kind::Text { default: "" },
    };
    Argument { name, label, help: format!("{help} {addition}").trim().to_owned(), kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_names_and_help() {
        let arguments = arguments();
        for name in OF_THE_JOB.into_iter().chain(["device"]) {
            let argument = arguments.iter().find(|argument| argument.name == name).unwrap();
            assert!(argument.help.starts_with(parameters::find(name).unwrap().help), "{name}");
        }
        let kind = |name| arguments.iter().find(|argument| argument.name == name).unwrap().kind;
        assert_eq!(kind("particles"), Kind::Integer { min: 0, max: 64, default: 0 });
        assert_eq!(kind("strength"), Kind::Number { min: -1.0, max: 1.0, default: -1.0 });
        assert_eq!(kind("bandwidth"), Kind::Text { default: "" });
        assert_eq!(kind("device"), Kind::Text { default: "auto" });
    }
}
