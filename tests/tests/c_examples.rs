//! The headers and the examples in C and C++, compiled as a user would, and run.

use std::path::{Path, PathBuf};
use std::process::Command;

use image::RgbImage;
use kds_tests::command::{build_folder, kds};
use kds_tests::pairs;

/// A binary PPM, the picture format that takes no library.
fn ppm(image: &RgbImage) -> Vec<u8> {
    let mut bytes = format!("P6\n{} {}\n255\n", image.width(), image.height()).into_bytes();
    bytes.extend_from_slice(image.as_raw());
    bytes
}

const C: [&str; 2] = ["cc", "-std=c99"];
const CPP: [&str; 2] = ["c++", "-std=c++17"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The compiler with every warning an error and our headers found.
fn compiler([program, standard]: [&str; 2]) -> Command {
    let mut command = Command::new(program);
    command.args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"]).arg(root().join("include"));
    command
}

/// The program of an example, linked to libkds.so.
fn compile(folder: &Path, language: [&str; 2], example: &str) -> PathBuf {
    let (library, program) = (build_folder().unwrap(), folder.join("program"));
    let output = compiler(language)
        .arg(root().join("examples").join(example))
        .arg("-L")
        .arg(&library)
        .arg("-lkds")
        .arg(format!("-Wl,-rpath,{}", library.display()))
        .arg("-o")
        .arg(&program)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

#[test]
fn the_headers_compile_alone_and_twice() {
    for (language, header, ending) in [(C, "kds.h", "c"), (CPP, "kds.h", "cpp"), (CPP, "kds.hpp", "cpp")] {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("twice").with_extension(ending);
        std::fs::write(&source, format!("#include <{header}>\n#include <{header}>\n")).unwrap();
        let output = compiler(language).arg("-fsyntax-only").arg(&source).output().unwrap();
        assert!(output.status.success(), "{header}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_cpp_example_restores_refuses_and_cancels() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(compile(folder.path(), CPP, "cpp/restore.cpp")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for expected in
        ["0 of 2 steps\n", "2 of 2 steps\n", "128 x 96 pixels", "KDS_INVALID_ARGUMENT: ", "\nKDS_CANCELLED\n"]
    {
        assert!(text.contains(expected), "'{expected}' is not in\n{text}");
    }
}

#[test]
fn restore_gives_what_kds_gives() {
    let small = pairs::small_picture().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("in.ppm"), ppm(&small)).unwrap();
    small.save(folder.join("in.png")).unwrap();
    let program = compile(folder, C, "c/restore.c");
    let run = |arguments: &[&str]| Command::new(&program).args(arguments).current_dir(folder).output().unwrap();

    let output = run(&["in.ppm", "out.ppm", "particles=2", "steps=2", "seed=5"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let settings = ["--particles", "2", "--steps", "2", "--seed", "5"];
    let status =
        kds().unwrap().args(["restore", "in.png", "-o", "out.png"]).args(settings).current_dir(folder).status();
    assert!(status.unwrap().success());
    let expected = image::open(folder.join("out.png")).unwrap().to_rgb8();
    assert_eq!(expected.dimensions(), (132, 84));
    assert!(std::fs::read(folder.join("out.ppm")).unwrap() == ppm(&expected), "the pixels differ");

    let refused = run(&["in.ppm", "never.ppm", "steps=zero"]);
    let message = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{message}");
    assert!(message.contains("KDS_INVALID_ARGUMENT: parameter 'steps' cannot be 'zero'"), "{message}");
    assert!(!folder.join("never.ppm").exists());
}
