//! All pictures of a run with one model: failures of one do not stop the others, and a report says how each went.

use std::time::SystemTime;

use anyhow::bail;

use crate::{
    interrupt,
    interrupt::Cancelled,
    options::Restore,
    outputs::{self, Claim, Decision, Policy},
    partial,
    place::{folder_of, resolve},
    progress::Progress,
    read,
    report::{Outcome, Report},
    restore::Session,
    shown,
    task::{Plan, Task},
};

/// Restores all pictures of the plan; `false` when one failed.
///
/// # Errors
/// Reasons that stop the whole run: a signal, a library or model that cannot be used, and with a single picture everything.
pub fn run(options: &Restore, plan: &Plan) -> anyhow::Result<bool> {
    let mut batch = Batch {
        options,
        plan,
        policy: Policy { skip: plan.batch, overwrite: options.overwrite, started: SystemTime::now() },
        session: None,
        progress: Progress::new(plan.tasks.len(), options.quiet),
    };
    plan.unreadable.iter().for_each(|line| batch.progress.say(line));
    plan.left_out.iter().for_each(|line| batch.progress.note(line));
    remove_abandoned(plan);
    let mut report = Report::new(options.form(), plan);
    let mut stopped = None;
    for task in &plan.tasks {
        let mut warnings = Vec::new();
        let outcome = match batch.one(task, &mut warnings) {
            Ok(outcome) => outcome,
            Err(error) if error.is::<Cancelled>() => {
                stopped = Some(error);
                break;
            }
            Err(error) => {
                let reason = format!("{error:#}");
                // Without a model no picture can be restored.
                if !plan.batch || error.is::<NoModel>() {
                    stopped = Some(error);
                } else {
                    batch.progress.say(&reason);
                }
                Outcome::Failed(reason)
            }
        };
        report.add(task, outcome, warnings)?;
        if stopped.is_some() {
            break;
        }
    }
    drop(batch);
    report.finish()?;
    match stopped {
        Some(error) => Err(error),
        None => Ok(report.all_well() && plan.unreadable.is_empty()),
    }
}

/// The library or the model cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
struct NoModel(anyhow::Error);

/// Removes what killed runs left where this one writes.
fn remove_abandoned(plan: &Plan) {
    let mut folders: Vec<_> =
        plan.tasks.iter().flat_map(Task::outputs).map(|(_, path)| folder_of(&resolve(path)).to_owned()).collect();
    folders.sort();
    folders.dedup();
    folders.iter().for_each(|folder| partial::remove_abandoned(folder));
}

struct Batch<'a> {
    options: &'a Restore,
    plan: &'a Plan,
    policy: Policy,
    session: Option<Session<'a>>,
    progress: Progress,
}

/// Pixels from which on the memory that a picture takes is asked for before it is decoded, which takes much of it.
const LARGE: u64 = 8_000_000;

/// The session, opened for the first picture that needs it.
fn open<'s, 'a>(
    session: &'s mut Option<Session<'a>>,
    options: &'a Restore,
    progress: &Progress,
) -> anyhow::Result<&'s Session<'a>> {
    match session {
        Some(session) => Ok(session),
        None => match Session::open(options, progress) {
            Ok(opened) => Ok(session.insert(opened)),
            Err(error) if error.is::<Cancelled>() => Err(error),
            Err(error) => Err(NoModel(error).into()),
        },
    }
}

impl Batch<'_> {
    fn one(&mut self, task: &Task, warnings: &mut Vec<String>) -> anyhow::Result<Outcome> {
        interrupt::check()?;
        let progress = &self.progress;
        let bar = progress.picture(&task.input);
        // Most pictures of a batch that is run again need not even be read.
        if self.plan.batch
            && let Decision::Skip(reason) = outputs::decide(task, self.policy)?
        {
            progress.note(&reason);
            return Ok(Outcome::Skipped(reason));
        }
        // A picture that cannot be read is found before the model is loaded, which takes longer.
        let file = read::File::open(&task.input)?;
        if let Some((width, height)) = file.size()?
            && u64::from(width) * u64::from(height) >= LARGE
        {
            open(&mut self.session, self.options, progress)?.check_size(task, width, height)?;
        }
        let (picture, notes) = file.decode(self.options.page)?;
        drop(file);
        notes.iter().for_each(|note| progress.say(note));
        warnings.extend(notes);
        interrupt::check()?;
        let claimed = match outputs::claim(task, self.policy)? {
            Claim::Ours(claimed) => claimed,
            Claim::Skip(reason) => {
                progress.note(&reason);
                return Ok(Outcome::Skipped(reason));
            }
            Claim::Busy => {
                let reason = format!("{}: is being restored by another run", shown::path(&task.output));
                if !self.plan.batch {
                    bail!("{reason}; wait for it, or name another file");
                }
                progress.note(&format!("{reason}, skipped"));
                return Ok(Outcome::Skipped(reason));
            }
        };
        let session = open(&mut self.session, self.options, progress)?;
        let done = session.restore(task, &picture, claimed, progress, &bar, warnings)?;
        if self.plan.batch {
            bar.restored(done.seconds);
        }
        Ok(Outcome::Restored(done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{file_kind::FileKind, picture::Picture, save, testing};

    #[test]
    fn pictures_that_exist_are_skipped_and_broken_ones_fail_without_the_library() {
        let folder = tempfile::tempdir().unwrap();
        let picture = Picture::plain(testing::pictures(8, 8).swap_remove(2));
        save::save(&picture, &folder.path().join("done.png"), 92).unwrap();
        std::fs::write(folder.path().join("broken.png"), "no picture").unwrap();
        let task = |input: &str, output: &str| Task {
            input: folder.path().join(input),
            output: folder.path().join(output),
            kind: FileKind::Png,
            confidence: None,
            compare: None,
        };
        let plan = |tasks, batch| Plan { tasks, batch, left_out: Vec::new(), unreadable: Vec::new() };
        let options = testing::restore_options();
        assert!(run(&options, &plan(vec![task("done.png", "done.png")], true)).unwrap());
        let fail = plan(vec![task("broken.png", "x.png"), task("done.png", "done.png")], true);
        assert!(!run(&options, &fail).unwrap());
        let single = plan(vec![task("broken.png", "x.png")], false);
        assert!(format!("{:#}", run(&options, &single).unwrap_err()).contains("not a picture"));
    }
}
