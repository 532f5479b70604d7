//! Programs and libraries of different versions: structs that are shorter or longer than the library's, functions that
//! one of them does not have.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use kds_host::{Context, ContextOptions, Image, ImageRef, Library, Status};
use kds_tests::c::{Language, Program, printed, root};
use kds_tests::command::built;
use tempfile::TempDir;

fn header(folder: &str) -> String {
    std::fs::read_to_string(root().join(folder).join("kds.h")).unwrap()
}

/// The definitions of structs that a caller or the library gives the size of: name and body.
fn structs(header: &str) -> Vec<(&str, &str)> {
    header
        .split("typedef struct ")
        .skip(1)
        .filter_map(|part| {
            let (name, rest) = part.split_once(" {\n")?;
            Some((name, rest.split_once("} ")?.0))
        })
        .filter(|(name, _)| !name.contains([' ', ';']))
        .collect()
}

/// The header of the future: every struct has two more fields.
fn larger() -> String {
    let today = header("include");
    let mut later = today.clone();
    for (name, body) in structs(&today) {
        let grown = format!("{name} {{\n{body}    uint64_t made_up_number;\n    const char *made_up_text;\n}} ");
        later = later.replacen(&format!("{name} {{\n{body}}} "), &grown, 1);
    }
    later + "\n#define KDS_MADE_UP 1\n"
}

/// A header of the past: every struct as it was first released, and one that is shorter still.
fn smaller() -> String {
    let (today, released) = (header("include"), header("tests/c/released/1"));
    let mut earlier = today.clone();
    let first = structs(&released);
    for (name, body) in structs(&today) {
        let (_, old) = first.iter().find(|(first, _)| *first == name).unwrap();
        let old = match name {
            "kds_context_params" => &old[..old.find("    /// Is told what happens").unwrap()],
            _ => old,
        };
        earlier = earlier.replacen(&format!("{name} {{\n{body}}} "), &format!("{name} {{\n{old}}} "), 1);
    }
    earlier
}

/// Compiles tests/c/growth.c with this header, instrumented, and runs it with libkds.so; the size that its parameters have.
fn runs_with(header: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kds.h"), header).unwrap();
    let program = Program::new(Language::C, "tests/c/growth.c").headers(folder.path()).sanitized();
    let output = Command::new(program.compile(folder.path()).unwrap())
        .env_remove("KDS_REGISTRY")
        .env("XDG_CONFIG_HOME", "/nowhere")
        .output()
        .unwrap();
    let text = printed(&output);
    assert!(output.status.success() && text.contains("growth: all as expected"), "{}\n{text}", output.status);
    text.lines().find_map(|line| line.strip_suffix(" bytes of parameters")).unwrap().parse().unwrap()
}

#[test]
fn programs_of_shorter_equal_and_longer_structs_run() {
    let today = runs_with(&header("include"));
    assert_eq!(today, size_of::<kds::kds_context_params>());
    assert_eq!(runs_with(&smaller()), 16);
    assert_eq!(runs_with(&larger()), today + 16);
}

#[test]
fn kds_hpp_compiles_with_longer_structs() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kds.h"), larger()).unwrap();
    std::fs::copy(root().join("include/kds.hpp"), folder.path().join("kds.hpp")).unwrap();
    Program::new(Language::Cpp, "examples/cpp/restore.cpp").headers(folder.path()).check().unwrap();
}

/// The names of functions that a header declares.
fn functions(header: &str) -> BTreeSet<&str> {
    let code = header.lines().filter(|line| !line.starts_with(['/', ' ', '#']) && !line.starts_with("typedef"));
    code.filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("kds_"))
        .collect()
}

/// A library of interface 1.0: libkds.so with the names of all later functions struck out.
fn first_library() -> (TempDir, PathBuf) {
    let (today, released) = (header("include"), header("tests/c/released/1"));
    let later: Vec<&str> = functions(&today).difference(&functions(&released)).copied().collect();
    assert!(later.contains(&"kds_abi_minor"), "{later:?}");
    let mut bytes = std::fs::read(built("libkds.so").unwrap()).unwrap();
    for name in later {
        let text = format!("\0{name}\0").into_bytes();
        let mut found = 0;
        while let Some(place) = bytes.windows(text.len()).position(|window| window == text) {
            bytes[place + 1] = b'x';
            found += 1;
        }
        assert!(found > 0, "{name} is not in libkds.so");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("libkds.so");
    std::fs::write(&file, bytes).unwrap();
    (folder, file)
}

#[test]
fn a_host_works_with_a_library_that_lacks_what_came_later() {
    let (_folder, file) = first_library();
    let library = Library::open_file(&file).unwrap();
    let options = ContextOptions { threads: 1, ..Default::default() };
    let context = Context::new(&library, &options).unwrap();
    assert!(context.models().unwrap().iter().any(|model| model.id == "kds-photo-x4"));
    let error = context.check_model("kds-photo-x4").unwrap_err();
    assert_eq!(error.status, Status::LibraryUnavailable);
    assert!(error.message.contains("too old to check models; install a newer KDS"), "{error}");

    let mut job = context.open_model("kds-photo-x4", Some("cpu"), None).unwrap().new_job().unwrap();
    job.set("steps", "1").unwrap();
    job.set("particles", "1").unwrap();
    let input = Image::new(kds_host::Format { channels: kds_host::Channels::Rgb, depth: kds_host::Depth::U8 }, 8, 8);
    let mut output =
        Image::new(kds_host::Format { channels: kds_host::Channels::Rgb, depth: kds_host::Depth::U8 }, 32, 32).unwrap();
    let input = input.unwrap();
    let view: ImageRef<'_> = input.view();
    job.run(view, None, output.view_mut(), None, None).unwrap();
}

/// A library that is nothing but a version.
fn library_of_version(version: u32, folder: &Path) -> Result<Arc<Library>, kds_host::Error> {
    let (source, file) = (folder.join("version.c"), folder.join("libkds.so"));
    std::fs::write(&source, format!("unsigned kds_abi_version(void) {{ return {version}; }}\n")).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&file).arg(&source).status().unwrap();
    assert!(compiled.success());
    Library::open_file(&file)
}

#[test]
fn a_library_of_another_major_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = library_of_version(2, folder.path()).unwrap_err();
    assert!(error.message.contains("it has version 2 of the interface and this program needs version 1"), "{error}");
}
