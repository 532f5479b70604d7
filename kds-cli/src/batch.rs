//! All pictures of a run with one model: failures of one do not stop the others, and a table says how it went.

use crate::{
    interrupt,
    interrupt::Cancelled,
    options::Restore,
    output, picture,
    plan::{Plan, Task},
    progress::Progress,
    restore::{Done, Session},
    table,
};

/// How one picture went.
enum Outcome {
    Restored(Done),
    Skipped,
    Failed,
}

/// Restores all pictures of the plan; `false` when one failed.
///
/// # Errors
/// What stops the whole run: Ctrl-C, a library or model that cannot be used, and with a single picture everything.
pub fn run(options: &Restore, plan: &Plan) -> anyhow::Result<bool> {
    let progress = Progress::new(plan.tasks.len());
    let mut session = None;
    let mut rows = Vec::new();
    let mut stopped = None;
    for task in &plan.tasks {
        match one(options, plan, task, &mut session, &progress) {
            Ok(outcome) => rows.push((task, outcome)),
            Err(error) if plan.batch && session.is_some() && !error.is::<Cancelled>() => {
                progress.say(&format!("{error:#}"));
                rows.push((task, Outcome::Failed));
            }
            Err(error) => {
                stopped = Some(error);
                break;
            }
        }
    }
    drop(progress);
    if plan.batch && !rows.is_empty() {
        output::print(&summary(&rows))?;
    } else if let [(task, Outcome::Restored(done))] = rows.as_slice() {
        output::print(&format!(
            "{}: {}x{} pixels in {:.1} s\n",
            task.output.display(),
            done.width,
            done.height,
            done.seconds
        ))?;
    }
    match stopped {
        Some(error) => Err(error),
        None => Ok(!rows.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed))),
    }
}

fn one<'a>(
    options: &'a Restore,
    plan: &Plan,
    task: &Task,
    session: &mut Option<Session<'a>>,
    progress: &Progress,
) -> anyhow::Result<Outcome> {
    interrupt::check()?;
    if plan.batch && !options.overwrite && task.output.exists() {
        progress.say(&format!("{}: exists, skipped; give --overwrite to restore it again", task.output.display()));
        return Ok(Outcome::Skipped);
    }
    let bar = progress.picture(&task.input);
    // A picture that cannot be read is found before the model is loaded, which takes longer.
    let (picture, notes) = match picture::read(&task.input) {
        Ok(read) => read,
        Err(error) if plan.batch => {
            progress.say(&format!("{error:#}"));
            return Ok(Outcome::Failed);
        }
        Err(error) => return Err(error),
    };
    notes.iter().for_each(|note| progress.say(note));
    interrupt::check()?;
    let session = match session {
        Some(session) => session,
        None => session.insert(Session::open(options, progress)?),
    };
    session.restore(task, &picture, progress, &bar).map(Outcome::Restored)
}

fn summary(rows: &[(&Task, Outcome)]) -> String {
    let head = ["FILE", "SIZE", "SECONDS", "STATUS"].map(str::to_owned);
    let lines = rows.iter().map(|(task, outcome)| {
        let file = task.input.display().to_string();
        match outcome {
            Outcome::Restored(Done { width, height, seconds }) => {
                [file, format!("{width}x{height}"), format!("{seconds:.1}"), "restored".into()]
            }
            Outcome::Skipped => [file, "-".into(), "-".into(), "skipped".into()],
            Outcome::Failed => [file, "-".into(), "-".into(), "failed".into()],
        }
    });
    table::columns(&std::iter::once(head).chain(lines).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_each_outcome() {
        let task = |name: &str| Task { input: name.into(), output: name.into(), confidence: None, compare: None };
        let (a, b, c) = (task("a.png"), task("b.png"), task("c.png"));
        let done = Done { width: 256, height: 64, seconds: 1.25 };
        let text = summary(&[(&a, Outcome::Restored(done)), (&b, Outcome::Skipped), (&c, Outcome::Failed)]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "a.png  256x64  1.2      restored");
        assert!(lines[2].ends_with("skipped") && lines[3].ends_with("failed"));
    }

    #[test]
    fn pictures_that_exist_are_skipped_and_broken_ones_fail_without_the_library() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("done.png"), "restored before").unwrap();
        std::fs::write(folder.path().join("broken.png"), "no picture").unwrap();
        let task = |input: &str, output: &str| Task {
            input: folder.path().join(input),
            output: folder.path().join(output),
            confidence: None,
            compare: None,
        };
        let options = crate::testing::restore_options();
        let skip = Plan { tasks: vec![task("done.png", "done.png")], batch: true };
        assert!(run(&options, &skip).unwrap());
        let fail = Plan { tasks: vec![task("broken.png", "x.png"), task("done.png", "done.png")], batch: true };
        assert!(!run(&options, &fail).unwrap());
        let single = Plan { tasks: vec![task("broken.png", "x.png")], batch: false };
        assert!(format!("{:#}", run(&options, &single).unwrap_err()).contains("not a picture"));
    }
}
