//! The C interface from C: misuse, every pixel format, threads, leaks, defects. The programs are in tests/c.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kds_tests::c::{Language, Program, printed, root};
use tempfile::TempDir;

fn sanitized(name: &str) -> Program {
    Program::new(Language::C, format!("tests/c/{name}.c")).sanitized()
}

/// Runs a program with the user's registries out of sight.
fn run(program: &Path, arguments: &[&str]) -> Output {
    with_small_model(Command::new(program).args(arguments)).output().unwrap()
}

/// With a tiny network of random weights as `kds-photo-x4`: the interface is the same, and valgrind takes seconds for what
/// takes it a quarter of an hour with the built-in one.
fn with_small_model(command: &mut Command) -> &mut Command {
    command.env("KDS_REGISTRY", root().join("tests/c/small-model.toml")).env("XDG_CONFIG_HOME", "/nowhere")
}

fn compiled(program: &Program) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = program.compile(folder.path()).unwrap();
    (folder, path)
}

fn succeeds(program: &Program, arguments: &[&str], says: &str) {
    let (_folder, path) = compiled(program);
    let output = run(&path, arguments);
    assert!(output.status.success() && printed(&output).contains(says), "{}\n{}", output.status, printed(&output));
}

#[test]
fn misuse_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.toml");
    std::fs::write(&file, "this is no registry\n").unwrap();
    succeeds(&sanitized("misuse"), &[file.to_str().unwrap()], "misuse: all as expected");
}

#[test]
fn every_pixel_format_says_the_same() {
    succeeds(&sanitized("images"), &[], "images: all as expected");
}

#[test]
fn images_of_the_cpp_header_say_the_same() {
    succeeds(&Program::new(Language::Cpp, "tests/c/images.cpp").sanitized(), &[], "images: all as expected");
}

#[test]
fn eight_threads_run_cancel_and_free() {
    succeeds(&sanitized("stress"), &[], "stress: all as expected");
}

#[test]
fn a_defect_poisons_its_job_only() {
    succeeds(&sanitized("panic").library("failing_backbone"), &[], "panic: all as expected");
}

#[test]
fn a_copy_by_fork_is_answered() {
    succeeds(&Program::new(Language::C, "tests/c/fork.c"), &[], "fork: all as expected");
}

#[test]
fn nothing_leaks_says_the_address_sanitizer() {
    let (_folder, path) = compiled(&sanitized("lifecycle"));
    let output = run(&path, &["3"]);
    assert!(output.status.success(), "{}", printed(&output));
    // It would have told.
    let output = run(&path, &["1", "leak"]);
    assert!(!output.status.success() && printed(&output).contains("LeakSanitizer"), "{}", printed(&output));
}

/// Runs a program under valgrind, which gives 9 for what it minds.
fn valgrind(program: &Path, arguments: &[&str]) -> Output {
    let suppressions = root().join("tests/c/valgrind.supp");
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--leak-check=full", "--show-leak-kinds=definite,possible"])
        .args(["--errors-for-leak-kinds=definite,possible", "--num-callers=30", "--error-exitcode=9"])
        .arg(format!("--suppressions={}", suppressions.display()))
        .arg(program)
        .args(arguments);
    with_small_model(&mut command).output().expect("`cargo xtask test` installs valgrind")
}

#[test]
fn nothing_leaks_says_valgrind() {
    let (_folder, path) = compiled(&Program::new(Language::C, "tests/c/lifecycle.c").flags(&["-g"]));
    let output = valgrind(&path, &["1"]);
    assert!(output.status.success(), "{}", printed(&output));
    // It would have told.
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("leak.c");
    std::fs::write(
        &source,
        "#include <stdlib.h>\nint main(void) { void *volatile p = malloc(9); p = 0; return p != 0; }\n",
    )
    .unwrap();
    let output = valgrind(&Program::new(Language::C, &source).compile(folder.path()).unwrap(), &[]);
    assert_eq!(output.status.code(), Some(9), "{}", printed(&output));
}
