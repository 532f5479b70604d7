//! Report on each picture: a table at the end for people, a line of JSON each for programs.

use serde_json::{Value, json};

use crate::{
    options::Form,
    output,
    restore::Done,
    shown, table,
    task::{Plan, Task},
};

/// Outcome of one picture.
pub enum Outcome {
    /// Restored, with what a person should know.
    Restored(Done),
    /// Not restored because there is nothing to do, and why.
    Skipped(String),
    /// Not restored, and why.
    Failed(String),
}

/// Tells how the pictures went.
pub struct Report<'a> {
    form: Form,
    plan: &'a Plan,
    rows: Vec<(&'a Task, Outcome)>,
}

impl<'a> Report<'a> {
    /// Of no picture yet.
    pub fn new(form: Form, plan: &'a Plan) -> Self {
        Self { form, plan, rows: Vec::new() }
    }

    /// Takes in how a picture went; `warnings` were said of it.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn add(&mut self, task: &'a Task, outcome: Outcome, warnings: Vec<String>) -> anyhow::Result<()> {
        if self.form == Form::Json {
            output::print(&format!("{}\n", object(task, &outcome, &warnings)))?;
        }
        self.rows.push((task, outcome));
        Ok(())
    }

    /// True where every picture is there.
    pub fn all_well(&self) -> bool {
        !self.rows.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
    }

    /// Tells what is told at the end.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn finish(&self) -> anyhow::Result<()> {
        match (self.form, self.rows.as_slice()) {
            (Form::Json | Form::Nothing, _) | (_, []) => Ok(()),
            (Form::Table, rows) if self.plan.batch => output::print(&summary(rows)),
            (Form::Table, [(task, Outcome::Restored(Done { width, height, seconds })), ..]) => {
                let name = shown::path(&task.output);
                output::print(&format!("{name}: {width}x{height} pixels in {seconds:.1} s\n"))
            }
            _ => Ok(()),
        }
    }
}

fn object(task: &Task, outcome: &Outcome, warnings: &[String]) -> Value {
    // JSON is Unicode; a name that is not loses the bytes that are not.
    let mut object = json!({ "input": task.input.to_string_lossy(), "output": task.output.to_string_lossy() });
    let mut set = |name: &str, value: Value| object[name] = value;
    for (name, path) in [("confidence", &task.confidence), ("compare", &task.compare)] {
        if let Some(path) = path {
            set(name, path.to_string_lossy().into());
        }
    }
    match outcome {
        Outcome::Restored(Done { width, height, seconds }) => {
            set("status", "restored".into());
            set("width", (*width).into());
            set("height", (*height).into());
            set("seconds", ((seconds * 1000.0).round() / 1000.0).into());
        }
        Outcome::Skipped(reason) | Outcome::Failed(reason) => {
            let skipped = matches!(outcome, Outcome::Skipped(_));
            set("status", if skipped { "skipped" } else { "failed" }.into());
            set("reason", reason.as_str().into());
        }
    }
    if !warnings.is_empty() {
        set("warnings", warnings.into());
    }
    object
}

fn summary(rows: &[(&Task, Outcome)]) -> String {
    let head = ["FILE", "SIZE", "SECONDS", "STATUS"].map(str::to_owned);
    let lines = rows.iter().map(|(task, outcome)| {
        let file = shown::path(&task.input);
        match outcome {
            Outcome::Restored(Done { width, height, seconds }) => {
                [file, format!("{width}x{height}"), format!("{seconds:.1}"), "restored".into()]
            }
            Outcome::Skipped(_) => [file, "-".into(), "-".into(), "skipped".into()],
            Outcome::Failed(_) => [file, "-".into(), "-".into(), "failed".into()],
        }
    });
    table::columns(&std::iter::once(head).chain(lines).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_kind::FileKind;

    fn task(name: &str) -> Task {
        Task { input: name.into(), output: name.into(), kind: FileKind::Png, confidence: None, compare: None }
    }

    const DONE: Done = Done { width: 256, height: 64, seconds: 1.25 };

    #[test]
    fn the_summary_tells_each_outcome_on_a_line() {
        let (a, b, c) = (task("a.png"), task("b\n.png"), task("c.png"));
        let (skipped, failed) = (Outcome::Skipped("exists".into()), Outcome::Failed("broken".into()));
        let text = summary(&[(&a, Outcome::Restored(DONE)), (&b, skipped), (&c, failed)]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "a.png    256x64  1.2      restored");
        assert!(lines[2].starts_with("b\\n.png") && lines[2].ends_with("skipped") && lines[3].ends_with("failed"));
    }

    #[test]
    fn objects_hold_what_the_table_holds_and_more() {
        let mut task = task("a\n.png");
        task.confidence = Some("map.png".into());
        let text = object(&task, &Outcome::Restored(DONE), &["of alpha".to_owned()]).to_string();
        assert!(!text.contains('\n'), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((value["input"].as_str(), value["status"].as_str()), (Some("a\n.png"), Some("restored")));
        assert_eq!((value["width"].as_u64(), value["seconds"].as_f64()), (Some(256), Some(1.25)));
        assert_eq!((value["confidence"].as_str(), value["warnings"][0].as_str()), (Some("map.png"), Some("of alpha")));
        let value = object(&task, &Outcome::Failed("broken".into()), &[]);
        assert_eq!((value["status"].as_str(), value["reason"].as_str()), (Some("failed"), Some("broken")));
        assert!(value.get("warnings").is_none());
    }
}
