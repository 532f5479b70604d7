//! Which picture goes where: decided, and the places checked, before anything is loaded or computed.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use anyhow::{anyhow, bail};

use crate::{
    collisions,
    file_kind::FileKind,
    naming::{self, Source},
    options::Restore,
    place::{Identity, folder_of, is_standard, resolve},
    shown, standing,
    task::{Plan, Task},
    usage::UsageError,
    walk,
};

/// Plans a restoration.
///
/// # Errors
/// [`UsageError`] when inputs and output do not go together; others when a file or folder is not there or cannot be
/// written.
pub fn plan(options: &Restore) -> anyhow::Result<Plan> {
    let several = options.inputs.len() > 1 || options.inputs.iter().any(|input| input.is_dir());
    let batch = several || options.output.is_dir() || names_a_folder(&options.output);
    let plan = if batch { plan_batch(options)? } else { plan_one(options)? };
    collisions::check(options, &plan)?;
    check_folders(options, &plan)?;
    Ok(plan)
}

/// True for a path that ends with a separator, which only folders do.
fn names_a_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

fn plan_one(options: &Restore) -> anyhow::Result<Plan> {
    let input = options.inputs[0].clone();
    let kind = if is_standard(&options.output) {
        if options.json {
            let message = "--json and the picture would both go to standard output; name a file for the picture";
            return Err(UsageError(message.to_owned()).into());
        }
        options.format.or(FileKind::of(&input).ok()).unwrap_or(FileKind::Png)
    } else {
        let kind = FileKind::of(&options.output)?;
        if options.format.is_some_and(|format| format != kind) {
            let message = format!("{}: ends in another format than --format says", shown::path(&options.output));
            return Err(UsageError(format!("{message}; leave --format out or end the name in it")).into());
        }
        kind
    };
    if !options.suffix.is_empty() {
        let message = "--suffix is for the names in a folder of outputs; name the file with the suffix";
        return Err(UsageError(message.to_owned()).into());
    }
    let task = Task {
        input,
        output: options.output.clone(),
        kind,
        confidence: options.confidence.clone(),
        compare: options.compare.clone(),
    };
    for (_, output) in task.outputs() {
        FileKind::of(output)?;
        if output.is_dir() {
            return Err(UsageError(format!("{}: is a folder; name a file", shown::path(output))).into());
        }
    }
    if !is_standard(&task.input) && !task.input.exists() && !task.input.is_symlink() {
        bail!("{}: there is no such file; check the path", shown::path(&task.input));
    }
    Ok(Plan { tasks: vec![task], batch: false, left_out: Vec::new(), unreadable: Vec::new() })
}

fn plan_batch(options: &Restore) -> anyhow::Result<Plan> {
    if is_standard(&options.output) {
        let message = "only one picture goes to standard output; name a folder for several";
        return Err(UsageError(message.to_owned()).into());
    }
    if options.output.is_file() {
        let output = shown::path(&options.output);
        let message = format!("{output}: is a file, and several pictures need a folder; name a folder");
        return Err(UsageError(message).into());
    }
    let mut plan = Plan { tasks: Vec::new(), batch: true, left_out: Vec::new(), unreadable: Vec::new() };
    let sources = sources(options, &mut plan)?;
    plan.tasks = tasks(options, &sources)?;
    if plan.tasks.is_empty() {
        let folders: Vec<String> = options.inputs.iter().map(|input| shown::path(input)).collect();
        bail!(
            "{}: holds no pictures (files ending in {}); name another folder{}",
            folders.join(", "),
            FileKind::EXTENSIONS,
            if options.recursive { "" } else { ", or give --recursive" }
        );
    }
    Ok(plan)
}

/// The folders that a batch writes into.
fn output_folders(options: &Restore) -> impl Iterator<Item = &PathBuf> {
    [Some(&options.output), options.confidence.as_ref(), options.compare.as_ref()].into_iter().flatten()
}

/// The pictures that were named, and those of folders that were named, each once.
fn sources(options: &Restore, plan: &mut Plan) -> anyhow::Result<Vec<Source>> {
    let outputs: Vec<Identity> = output_folders(options).map(|folder| Identity::of(folder)).collect();
    let folders: Vec<PathBuf> = output_folders(options).map(|folder| resolve(folder)).collect();
    let mut sources: Vec<Source> = Vec::new();
    for input in &options.inputs {
        if !input.is_dir() {
            if input.file_name().is_none() {
                let message = format!("{}: is not the name of a file; name a file", shown::path(input));
                return Err(UsageError(message).into());
            }
            sources.push(Source { path: input.clone(), root: None });
            continue;
        }
        let found = walk::pictures_of(input, options.recursive, &outputs)?;
        plan.left_out.extend(found.left_out().map(|what| format!("{}: {what}", shown::path(input))));
        plan.unreadable.extend(found.unreadable);
        // In a folder that outputs go to as well, what an earlier run wrote is not restored again.
        let all = found.pictures.len();
        let among_outputs = |path: &Path| {
            let place = resolve(path);
            folders.iter().any(|folder| place.starts_with(folder)) && standing::is_earlier_output(path)
        };
        let pictures: Vec<PathBuf> = found.pictures.into_iter().filter(|path| !among_outputs(path)).collect();
        if pictures.len() < all {
            let count = all - pictures.len();
            plan.left_out.push(format!("{}: left out: earlier outputs ({count})", shown::path(input)));
        }
        sources.extend(pictures.into_iter().map(|path| Source { path, root: Some(input.clone()) }));
    }
    let mut seen = HashSet::new();
    sources.retain(|source| is_standard(&source.path) || seen.insert(resolve(&source.path)));
    Ok(sources)
}

fn tasks(options: &Restore, sources: &[Source]) -> anyhow::Result<Vec<Task>> {
    let mirrored = naming::mirrored(sources);
    let style = naming::Style { suffix: &options.suffix, format: options.format };
    let choices: Vec<_> = mirrored.iter().map(|picture| naming::restored(picture, style)).collect();
    let names = naming::distinct(&choices, |index, name| mirrored[index] == name);

    // Beside the pictures or beside one another, maps say what they are.
    let folders = [Some(&options.output), options.confidence.as_ref(), options.compare.as_ref()];
    let folders = folders.map(|folder| folder.map(|folder| Identity::of(folder)));
    let shared = |own: usize| folders.iter().filter(|folder| **folder == folders[own]).count() > 1;
    let maps = |folder: &Option<PathBuf>, index: usize, suffix: &str| -> Vec<Option<PathBuf>> {
        let Some(folder) = folder else { return vec![None; names.len()] };
        let suffix = if shared(index) { suffix } else { "" };
        let choices: Vec<_> = names.iter().map(|name| naming::map(name, suffix)).collect();
        let own = |index: usize, _: &Path| names[index].extension().is_some_and(|ending| ending == "png");
        naming::distinct(&choices, own).into_iter().map(|name| Some(folder.join(name))).collect()
    };
    let confidence = maps(&options.confidence, 1, "-confidence");
    let compare = maps(&options.compare, 2, "-compare");

    let mut tasks = Vec::new();
    for (((source, name), confidence), compare) in sources.iter().zip(&names).zip(confidence).zip(compare) {
        let output = options.output.join(name);
        tasks.push(Task { input: source.path.clone(), kind: FileKind::of(&output)?, output, confidence, compare });
    }
    Ok(tasks)
}

/// Every folder to write into is there and can be written. Folders that mirror those of the inputs are made when they are
/// needed.
fn check_folders(options: &Restore, plan: &Plan) -> anyhow::Result<()> {
    let folders: HashSet<PathBuf> = if plan.batch {
        output_folders(options).cloned().collect()
    } else {
        let outputs = plan.tasks.iter().flat_map(Task::outputs);
        outputs.map(|(_, output)| folder_of(&resolve(output)).to_owned()).collect()
    };
    for folder in folders {
        let name = shown::path(&folder);
        if !folder.is_dir() {
            bail!("{name}: there is no such folder; create it with 'mkdir -p'");
        }
        // The only question whose answer also holds for read-only file systems, access lists and the superuser.
        tempfile::tempfile_in(&folder).map_err(|error| {
            anyhow!("{name}: cannot write into this folder: {error}; check its permissions or name another")
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{folder_with, restore_options};

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
            (&["a/x.png", "b/x.png"][..], "out", "", false),
            (&["in.png", "in.png"], "out", "", false),
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
    fn folders_are_mirrored_when_asked() {
        let folder = folder_with(&["in/a.png", "in/x/y/b.jpg", "in/out/a.png", "maps/z"]);
        let mut options = restore_options();
        options.inputs = vec![folder.path().join("in")];
        options.output = folder.path().join("in/out");
        options.confidence = Some(folder.path().join("maps"));
        options.recursive = true;
        let plan = plan(&options).unwrap();
        let below = |path: &Path| path.strip_prefix(folder.path()).unwrap().to_owned();
        let places: Vec<_> = plan.tasks.iter().map(|task| below(&task.output)).collect();
        assert_eq!(places, ["in/out/a.png", "in/out/x/y/b.jpg"].map(PathBuf::from));
        assert_eq!(below(plan.tasks[1].confidence.as_ref().unwrap()), Path::new("maps/x/y/b.png"));
    }

    #[test]
    fn two_pictures_of_one_stem_get_maps_of_their_own() {
        let folder = folder_with(&["in/a.png", "in/a.jpg", "in/b.jpg", "out/x", "maps/x"]);
        let mut options = restore_options();
        options.inputs = vec![folder.path().join("in")];
        options.output = folder.path().join("out");
        options.confidence = Some(folder.path().join("maps"));
        let maps = |options: &Restore| -> Vec<String> {
            let plan = plan(options).unwrap();
            let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
            plan.tasks.iter().flat_map(Task::outputs).skip(1).step_by(2).map(|(_, path)| name(path)).collect()
        };
        assert_eq!(maps(&options), ["a.jpg.png", "a.png", "b.png"]);
        options.confidence = None;
        options.compare = Some(folder.path().join("out"));
        assert_eq!(maps(&options), ["a.jpg-compare.png", "a-compare.png", "b-compare.png"]);
        options.confidence = Some(folder.path().join("maps"));
        options.compare = Some(folder.path().join("maps"));
        assert_eq!(plan(&options).unwrap().tasks[2].compare, Some(folder.path().join("maps/b-compare.png")));
    }

    #[test]
    fn a_suffix_lets_outputs_lie_beside_the_pictures() {
        let folder = folder_with(&["a.png"]);
        let image = crate::testing::pictures(4, 4).swap_remove(2);
        let picture = crate::picture::Picture::plain(image);
        crate::save::save(&picture, &folder.path().join("a-new.png"), 92).unwrap();
        let mut options = restore_options();
        options.inputs = vec![folder.path().to_owned()];
        options.output = folder.path().to_owned();
        options.suffix = "-new".into();
        let plan = plan(&options).unwrap();
        assert_eq!(plan.tasks.len(), 1, "{:?}", plan.tasks);
        assert_eq!(plan.tasks[0].output, folder.path().join("a-new.png"));
        assert!(plan.left_out[0].contains("earlier outputs (1)"), "{:?}", plan.left_out);
    }

    #[test]
    fn standard_input_and_output_are_single_pictures() {
        let folder = folder_with(&["a.jpg", "b.jpg", "out/x"]);
        let mut options = restore_options();
        options.inputs = vec!["-".into()];
        options.output = "-".into();
        assert_eq!(plan(&options).unwrap().tasks[0].kind, FileKind::Png);
        options.format = Some(FileKind::Tiff);
        assert_eq!(plan(&options).unwrap().tasks[0].kind, FileKind::Tiff);
        options.output = folder.path().join("out");
        assert_eq!(plan(&options).unwrap().tasks[0].output, folder.path().join("out/stdin.tif"));
        options.inputs = vec![folder.path().join("a.jpg"), folder.path().join("b.jpg")];
        options.output = "-".into();
        assert!(plan(&options).unwrap_err().is::<UsageError>());
    }
}
