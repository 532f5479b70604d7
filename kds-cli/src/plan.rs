//! Which picture goes where: decided, and the places checked, before anything is loaded or computed.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{anyhow, bail};

use crate::{
    file_kind::FileKind,
    options::Restore,
    place::{folder_of, resolve},
    usage::UsageError,
};

/// Everything there is to do.
#[derive(Debug)]
pub struct Plan {
    /// One after the other.
    pub tasks: Vec<Task>,
    /// Whether there may be several: then one failure does not stop the others, and what exists is skipped.
    pub batch: bool,
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The picture.
    pub input: PathBuf,
    /// The restored picture.
    pub output: PathBuf,
    /// The map of confidence, where wanted.
    pub confidence: Option<PathBuf>,
    /// The comparison, where wanted.
    pub compare: Option<PathBuf>,
}

impl Task {
    /// Every file that the task writes.
    fn outputs(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.output), self.confidence.as_ref(), self.compare.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }
}

/// Plans a restoration.
///
/// # Errors
/// [`UsageError`] when inputs and output do not go together; others when a file or folder is not there or cannot be
/// written.
pub fn plan(options: &Restore) -> anyhow::Result<Plan> {
    let several = options.inputs.len() > 1 || options.inputs.iter().any(|input| input.is_dir());
    let batch = several || options.output.is_dir() || names_a_folder(&options.output);
    let plan = if batch { plan_batch(options)? } else { plan_one(options)? };
    check_collisions(&plan)?;
    check_folders(&plan)?;
    Ok(plan)
}

/// Whether the path ends with a separator, which only folders do.
fn names_a_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

fn plan_one(options: &Restore) -> anyhow::Result<Plan> {
    let task = Task {
        input: options.inputs[0].clone(),
        output: options.output.clone(),
        confidence: options.confidence.clone(),
        compare: options.compare.clone(),
    };
    for output in task.outputs() {
        FileKind::of(output)?;
        if output.is_dir() {
            return Err(UsageError(format!("{}: is a folder; name a file", output.display())).into());
        }
    }
    if !task.input.exists() {
        bail!("{}: there is no such file; check the path", task.input.display());
    }
    Ok(Plan { tasks: vec![task], batch: false })
}

fn plan_batch(options: &Restore) -> anyhow::Result<Plan> {
    if options.output.is_file() {
        let message =
            format!("{}: is a file, and several pictures need a folder; name a folder", options.output.display());
        return Err(UsageError(message).into());
    }
    let mut inputs = Vec::new();
    for input in &options.inputs {
        if input.is_dir() { inputs.extend(pictures_of(input)?) } else { inputs.push(input.clone()) }
    }
    let tasks = inputs
        .into_iter()
        .map(|input| {
            let output = options.output.join(output_name(&input)?);
            let map = |folder: &Option<PathBuf>| {
                folder
                    .as_ref()
                    .map(|folder| folder.join(output.file_stem().unwrap_or_default()).with_added_extension("png"))
            };
            let (confidence, compare) = (map(&options.confidence), map(&options.compare));
            Ok(Task { input, output, confidence, compare })
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Plan { tasks, batch: true })
}

/// The pictures of a folder by name, without those of its folders.
fn pictures_of(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let explain = |error| anyhow!("{}: cannot read the folder: {error}; check its permissions", folder.display());
    let mut pictures = Vec::new();
    for entry in fs::read_dir(folder).map_err(explain)? {
        let path = entry.map_err(explain)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && FileKind::of(&path).is_ok() && path.is_file() {
            pictures.push(path);
        }
    }
    if pictures.is_empty() {
        bail!(
            "{}: holds no pictures (files ending in {}); name another folder",
            folder.display(),
            FileKind::EXTENSIONS
        );
    }
    pictures.sort();
    Ok(pictures)
}

/// The input's own name, where it says a format that can be written; otherwise the name with `.png`.
fn output_name(input: &Path) -> anyhow::Result<PathBuf> {
    let name = input
        .file_name()
        .ok_or_else(|| UsageError(format!("{}: is not the name of a file; name a file", input.display())))?;
    let name = PathBuf::from(name);
    Ok(if FileKind::of(&name).is_ok() { name } else { name.with_extension("png") })
}

/// No two tasks may write the same file, and a batch may not write over one of its inputs.
fn check_collisions(plan: &Plan) -> Result<(), UsageError> {
    let inputs: HashSet<PathBuf> = plan.tasks.iter().map(|task| resolve(&task.input)).collect();
    let mut writers: HashMap<PathBuf, &Path> = HashMap::new();
    for task in &plan.tasks {
        for output in task.outputs() {
            let place = resolve(output);
            if plan.batch && inputs.contains(&place) {
                let message =
                    format!("{}: would be replaced by its own restoration; name another folder", output.display());
                return Err(UsageError(message));
            }
            if let Some(other) = writers.insert(place, &task.input) {
                let message = if plan.batch && other != task.input {
                    format!(
                        "{}: {} would go to the same file {}; restore them into different folders",
                        task.input.display(),
                        other.display(),
                        output.display()
                    )
                } else {
                    format!("{}: is named twice; name each file once", output.display())
                };
                return Err(UsageError(message));
            }
        }
    }
    Ok(())
}

/// Every folder to write into is there and can be written.
fn check_folders(plan: &Plan) -> anyhow::Result<()> {
    let folders: HashSet<&Path> = plan.tasks.iter().flat_map(Task::outputs).map(folder_of).collect();
    for folder in folders {
        if !folder.is_dir() {
            bail!("{}: there is no such folder; create it with 'mkdir -p'", folder.display());
        }
        // The only question whose answer also holds for read-only file systems, access lists and the superuser.
        tempfile::tempfile_in(folder).map_err(|error| {
            let folder = folder.display();
            anyhow!("{folder}: cannot write into this folder: {error}; check its permissions or name another")
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::restore_options;

    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        folder
    }

    fn plan_in(folder: &Path, inputs: &[&str], output: &str) -> anyhow::Result<Plan> {
        let mut options = restore_options();
        options.inputs = inputs.iter().map(|input| folder.join(input)).collect();
        options.output = folder.join(output);
        plan(&options)
    }

    #[test]
    fn one_picture_goes_to_a_file() {
        let folder = folder_with(&["in.png"]);
        let plan = plan_in(folder.path(), &["in.png"], "out.jpg").unwrap();
        assert!(!plan.batch);
        assert_eq!(plan.tasks[0].output, folder.path().join("out.jpg"));
    }

    #[test]
    fn the_pictures_of_a_folder_go_to_a_folder() {
        let folder = folder_with(&["in/b.JPG", "in/a.png", "in/notes.txt", "in/.hidden.png", "in/deep/c.png", "out/x"]);
        let plan = plan_in(folder.path(), &["in"], "out").unwrap();
        assert!(plan.batch);
        let names: Vec<_> = plan.tasks.iter().map(|task| task.output.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.png", "b.JPG"]);
    }

    #[test]
    fn maps_of_a_batch_go_to_folders() {
        let folder = folder_with(&["a.jpg", "out/x", "maps/x", "sides/x"]);
        let mut options = restore_options();
        options.inputs = vec![folder.path().join("a.jpg")];
        options.output = folder.path().join("out");
        options.confidence = Some(folder.path().join("maps"));
        options.compare = Some(folder.path().join("sides"));
        let task = &plan(&options).unwrap().tasks[0];
        assert_eq!(task.output, folder.path().join("out/a.jpg"));
        assert_eq!(task.confidence, Some(folder.path().join("maps/a.png")));
        assert_eq!(task.compare, Some(folder.path().join("sides/a.png")));
    }

    #[test]
    fn a_picture_without_a_known_extension_becomes_a_png() {
        let folder = folder_with(&["scan.0001", "plain", "out/x"]);
        let plan = plan_in(folder.path(), &["scan.0001", "plain"], "out").unwrap();
        assert_eq!(plan.tasks[0].output, folder.path().join("out/scan.png"));
        assert_eq!(plan.tasks[1].output, folder.path().join("out/plain.png"));
    }

    #[test]
    fn what_cannot_work_is_found_before() {
        let folder = folder_with(&["a/x.png", "b/x.png", "in.png", "empty/notes.txt", "out/y"]);
        for (inputs, output, expected, usage) in [
            (&["a/x.png", "b/x.png"][..], "out", "the same file", true),
            (&["in.png", "in.png"], "out", "named twice", true),
            (&["a/x.png", "in.png"], "a", "its own restoration", true),
            (&["a", "b"], "in.png", "is a file", true),
            (&["in.png"], "out.gif", "'gif'", true),
            (&["in.png"], "out", "", false),
            (&["in.png"], "nowhere/out.png", "no such folder", false),
            (&["a", "in.png"], "nowhere", "no such folder", false),
            (&["missing.png"], "out.png", "no such file", false),
            (&["empty"], "out", "holds no pictures", false),
        ] {
            match plan_in(folder.path(), inputs, output) {
                Ok(_) => assert!(expected.is_empty(), "{inputs:?} {output}: accepted"),
                Err(error) => {
                    let message = format!("{error:#}");
                    assert!(!expected.is_empty() && message.contains(expected), "{inputs:?} {output}: {message}");
                    assert_eq!(error.is::<UsageError>(), usage, "{message}");
                }
            }
        }
    }

    #[test]
    fn outputs_of_one_picture_must_differ() {
        let folder = folder_with(&["in.png"]);
        let mut options = restore_options();
        options.inputs = vec![folder.path().join("in.png")];
        options.output = folder.path().join("out.png");
        options.compare = Some(folder.path().join("./out.png"));
        assert!(plan(&options).unwrap_err().to_string().contains("named twice"));
    }

    #[test]
    fn one_picture_may_replace_itself_when_named() {
        let folder = folder_with(&["in.png"]);
        assert!(plan_in(folder.path(), &["in.png"], "in.png").is_ok());
    }
}
