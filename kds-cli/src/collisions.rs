//! Files that would be written twice, or over what is read.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use crate::{
    mark::Role,
    options::Restore,
    place::{Identity, is_standard},
    shown,
    task::Plan,
    usage::UsageError,
};

/// No two outputs may be the same file, and none may be a picture that is read, or the mask. One picture may replace itself
/// when that is asked for.
///
/// # Errors
/// The first output that would replace something of these.
pub fn check(options: &Restore, plan: &Plan) -> Result<(), UsageError> {
    let read = plan.tasks.iter().map(|task| &task.input).filter(|input| !is_standard(input));
    let inputs: HashSet<Identity> = read.map(|input| Identity::of(input)).collect();
    let mask = options.mask.as_ref().map(|mask| Identity::of(mask));
    let mut writers: HashMap<Identity, &Path> = HashMap::new();
    for task in &plan.tasks {
        for (role, output) in task.outputs() {
            let place = Identity::of(output);
            let name = shown::path(output);
            if mask.as_ref() == Some(&place) {
                return Err(UsageError(format!("{name}: is the mask and would be replaced; name another file")));
            }
            if inputs.contains(&place) {
                let own = role == Role::Restored && place == Identity::of(&task.input);
                match (own, plan.batch) {
                    (true, false) if options.overwrite => {}
                    (true, false) => {
                        let message = "is the picture itself; name another file, or give --overwrite to replace it";
                        return Err(UsageError(format!("{name}: {message}")));
                    }
                    (true, true) => {
                        let message = "would be replaced by its own restoration; name another folder, or give --suffix";
                        return Err(UsageError(format!("{name}: {message}")));
                    }
                    (false, _) => {
                        let message = format!("is a picture to be restored and would be replaced by a {}", role.name());
                        return Err(UsageError(format!("{name}: {message}; name another place")));
                    }
                }
            }
            if let Some(other) = writers.insert(place, &task.input) {
                return Err(UsageError(if other == task.input {
                    format!("{name}: is named twice; name each file once")
                } else {
                    let (input, other) = (shown::path(&task.input), shown::path(other));
                    format!("{input}: {other} would go to the same file {name}; restore them into different folders")
                }));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        plan::plan,
        testing::{folder_with, restore_options},
    };

    #[test]
    fn a_picture_replaces_itself_only_when_asked() {
        let folder = folder_with(&["in.png"]);
        let mut options = restore_options();
        options.inputs = vec![folder.path().join("in.png")];
        options.output = folder.path().join("in.png");
        let error = plan(&options).unwrap_err();
        assert!(error.is::<UsageError>() && error.to_string().contains("--overwrite"), "{error}");
        options.overwrite = true;
        assert!(plan(&options).is_ok());
    }

    #[test]
    fn no_output_replaces_a_picture_or_a_mask_by_any_name() {
        let folder = folder_with(&["a.png", "b.png", "mask.png", "out/x"]);
        let path = |name: &str| folder.path().join(name);
        fs::hard_link(path("a.png"), path("hard.png")).unwrap();
        std::os::unix::fs::symlink("a.png", path("soft.png")).unwrap();
        for name in ["a.png", "./a.png", "hard.png", "soft.png", "mask.png"] {
            for role in [Role::Restored, Role::Confidence, Role::Comparison] {
                let mut options = restore_options();
                options.inputs = vec![path("a.png")];
                options.mask = Some(path("mask.png"));
                options.output = path("out.png");
                // Not even then.
                options.overwrite = role != Role::Restored || name == "mask.png";
                match role {
                    Role::Restored => options.output = path(name),
                    Role::Confidence => options.confidence = Some(path(name)),
                    Role::Comparison => options.compare = Some(path(name)),
                }
                let message = plan(&options).expect_err(name).to_string();
                assert!(message.contains("replace"), "{name} {role:?}: {message}");
            }
        }
        let mut options = restore_options();
        options.inputs = vec![path("a.png"), path("b.png")];
        options.output = path("out");
        options.confidence = Some(folder.path().to_owned());
        options.overwrite = true;
        assert!(plan(&options).unwrap_err().to_string().contains("would be replaced by a confidence map"));
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
}
