//! The example of a Rust host, as a person runs it, against the `kds` command.

#[expect(dead_code, reason = "what concerns the kds command only")]
mod common;

use std::io::Read;
use std::process::{Child, Command, Output, Stdio};

use common::Folder;
use kds_tests::command::{built, with_default_signals};
use kds_tests::pairs;

/// The example host, as a person runs it.
fn start_example(folder: &Folder, arguments: &[&str]) -> Child {
    let mut command = Command::new(built("rust-host-example").unwrap());
    command.arg(built("libkds.so").unwrap()).args(arguments).current_dir(folder.path("."));
    command.env_remove("KDS_REGISTRY").env("XDG_CONFIG_HOME", folder.path("no-configuration"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    with_default_signals(&mut command);
    command.spawn().unwrap()
}

/// The example host, until it ends.
fn example(folder: &Folder, arguments: &[&str]) -> Output {
    start_example(folder, arguments).wait_with_output().unwrap()
}

/// Asserts that the example gave up with one line, which has this in it, after lines of progress.
fn refused(output: &Output, reason: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let lines: Vec<_> = errors.lines().filter(|line| !line.is_empty() && !line.contains(" evaluations")).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("rust-host-example: "), "{errors}");
    assert!(lines[0].contains(reason), "no '{reason}' in {errors}");
}

#[test]
fn the_example_gives_what_kds_gives() {
    let folder = Folder::new();
    pairs::small_picture().unwrap().save(folder.path("in.png")).unwrap();
    let settings = ["--particles", "2", "--steps", "2", "--seed", "5", "--confidence", "kds-confidence.png"];
    folder.restore("in.png", "kds.png", &settings).succeeded("kds restore");
    let settings = ["particles=2", "steps=2", "seed=5", "--confidence", "confidence.png"];
    let output = example(&folder, &[&["restore", "in.png", "out.png"], settings.as_slice()].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    for line in ["\r0 of 4 evaluations", "\r4 of 4 evaluations"] {
        assert!(errors.contains(line), "{errors}");
    }
    let open = |file: &str| image::open(folder.path(file)).unwrap();
    assert_eq!(open("kds.png").to_rgb8().dimensions(), (132, 84));
    assert!(open("out.png").to_rgb8() == open("kds.png").to_rgb8(), "the pixels differ");
    assert!(open("confidence.png").to_luma8() == open("kds-confidence.png").to_luma8(), "the confidence differs");
}

#[test]
fn the_example_says_what_is_wrong_and_leaves_nothing() {
    let folder = Folder::new();
    pairs::small_picture().unwrap().save(folder.path("in.png")).unwrap();
    folder.write("text.png", b"no picture");
    let before = folder.files();
    let restore = |arguments: &[&str]| example(&folder, &[&["restore"], arguments].concat());
    refused(&restore(&["in.png", "out.png", "--model", "nonesuch"]), "nonesuch");
    refused(&restore(&["in.png", "out.png", "steps=zero"]), "parameter 'steps' cannot be 'zero'");
    refused(&restore(&["text.png", "out.png"]), "text.png: ");
    refused(&restore(&["missing.png", "out.png"]), "missing.png: ");
    refused(&restore(&["in.png", "out.xyz", "particles=1", "steps=1"]), "out.xyz: ");
    refused(&restore(&["in.png", "out.png", "steps=1000", "--cancel-after", "2"]), "cancelled");
    assert_eq!(folder.files(), before);
}

#[test]
fn an_interrupt_cancels_the_example() {
    let folder = Folder::new();
    pairs::small_picture().unwrap().save(folder.path("in.png")).unwrap();
    let before = folder.files();
    let mut child = start_example(&folder, &["restore", "in.png", "out.png", "steps=1000", "particles=64"]);
    let (mut stderr, mut seen) = (child.stderr.take().unwrap(), Vec::new());
    while !seen.ends_with(b"of 64000 evaluations") {
        let mut byte = [0];
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    // SAFETY: the process was started here and not waited for, so the number is still its own.
    assert_eq!(unsafe { libc::kill(child.id().cast_signed(), libc::SIGINT) }, 0);
    let mut rest = Vec::new();
    stderr.read_to_end(&mut rest).unwrap();
    let status = child.wait().unwrap();
    refused(&Output { status, stdout: Vec::new(), stderr: rest }, "cancelled");
    assert_eq!(folder.files(), before);
}

#[test]
fn the_example_lists_models_and_parameters() {
    let folder = Folder::new();
    let first_words = |list: &str| -> Vec<String> {
        let listed = String::from_utf8(example(&folder, &[list]).stdout).unwrap();
        listed.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    assert_eq!(first_words("models")[0], "kds-photo-x4");
    let table = kds_host::parameters::table();
    assert_eq!(first_words("parameters"), table.iter().map(|parameter| parameter.name).collect::<Vec<_>>());
}
