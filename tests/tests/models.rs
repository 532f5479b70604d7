//! `kds models`: adding a folder, looking at it, checking it, and what happens when it breaks.

use std::path::Path;
use std::process::Output;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/residual_x1");

/// Runs `kds models` with a configuration of its own; exit code, standard output, standard error.
fn models(configuration: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = kds_tests::command::kds().unwrap();
    command.env("XDG_CONFIG_HOME", configuration).arg("models").args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &target) } else { drop(std::fs::copy(entry.path(), target)) }
    }
}

#[test]
fn a_folder_is_added_shown_and_checked() {
    let scratch = tempfile::tempdir().unwrap();
    let configuration = scratch.path().join("configuration");
    // A name that TOML and terminals must not take apart.
    let folder = scratch.path().join("My \"Photos\" x1");
    copy(Path::new(MODEL), &folder);
    let folder_text = folder.to_str().unwrap();
    let own = |arguments: &[&str]| models(&configuration, arguments);

    let (code, output, errors) = own(&["add", folder_text]);
    assert_eq!((code, errors.as_str()), (0, ""), "{output}");
    assert!(output.starts_with("my-photos-x1: added"), "{output}");
    assert!(own(&[]).1.contains("my-photos-x1") && own(&["list"]).1 == own(&[]).1);
    let (_, shown, _) = own(&["show", "my-photos-x1"]);
    assert!(shown.contains("backbone:   residual\n") && shown.contains(folder_text), "{shown}");
    assert_eq!(
        own(&["check", "my-photos-x1"]),
        (0, "my-photos-x1: all files are as they should be\n".into(), "".into())
    );

    let (code, _, errors) = own(&["add", folder_text]);
    assert!(code == 1 && errors.contains("already") && errors.contains("--id"), "{errors}");
    assert_eq!(own(&["add", folder_text, "--id", "second"]).0, 0);
    for id in ["../escape", "a/b", ".hidden", ""] {
        let (code, _, errors) = own(&["add", folder_text, "--id", id]);
        assert!(code == 1 && errors.contains("cannot be a model's id"), "{id}: {errors}");
    }
    assert_eq!(std::fs::read_dir(configuration.join("kds/registry.d")).unwrap().count(), 2);

    let weights = folder.join("unet/diffusion_pytorch_model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let (code, output, _) = own(&["check"]);
    assert!(code == 1 && output.contains("kds-photo-x4: all files") && output.contains("not all of one"), "{output}");
    let (code, _, errors) = own(&["add", folder_text, "--id", "third"]);
    assert!(code == 1 && errors.contains("diffusion_pytorch_model.safetensors"), "{errors}");
    assert!(!configuration.join("kds/registry.d/third.toml").exists());
    let (code, _, errors) = own(&["show", "nothing"]);
    assert!(code == 1 && errors.contains("my-photos-x1"), "{errors}");
}
