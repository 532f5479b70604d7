//! The headers and the examples in C and C++, compiled as a user would, and run.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::RgbImage;
use kds_tests::c::{Language, Program, printed};
use kds_tests::command::{build_folder, kds, with_default_signals};
use kds_tests::pairs;

/// A binary PPM, the picture format that takes no library.
fn ppm(image: &RgbImage) -> Vec<u8> {
    let mut bytes = format!("P6\n{} {}\n255\n", image.width(), image.height()).into_bytes();
    bytes.extend_from_slice(image.as_raw());
    bytes
}

/// The program of an example, linked to libkds.so.
fn compile(folder: &Path, language: Language, example: &str) -> PathBuf {
    Program::new(language, Path::new("examples").join(example)).compile(folder).unwrap()
}

#[test]
fn the_headers_compile_alone_and_twice() {
    let headers = [(Language::C, "kds.h", "c"), (Language::Cpp, "kds.h", "cpp"), (Language::Cpp, "kds.hpp", "cpp")];
    for (language, header, ending) in headers {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("twice").with_extension(ending);
        std::fs::write(&source, format!("#include <{header}>\n#include <{header}>\n")).unwrap();
        Program::new(language, &source).check().unwrap();
    }
}

#[test]
fn the_cpp_example_restores_refuses_and_cancels() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(compile(folder.path(), Language::Cpp, "cpp/restore.cpp")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        "libkds: model kds-photo-x4 on ",
        "libkds: restored ",
        "0 of 4 evaluations\n",
        "4 of 4 evaluations\n",
        "128 x 96 pixels",
        "KDS_INVALID_ARGUMENT: ",
        "\nKDS_CANCELLED\n",
    ] {
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
    let program = compile(folder, Language::C, "c/restore.c");
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

#[test]
fn inpaint_gives_what_kds_gives_and_keeps_the_rest() {
    let picture = pairs::small_picture().unwrap();
    let (width, height) = picture.dimensions();
    let hole = RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([if (8..15).contains(&x) && (5..12).contains(&y) { 255 } else { 0 }; 3])
    });
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, image) in [("in", &picture), ("mask", &hole)] {
        std::fs::write(folder.join(name).with_extension("ppm"), ppm(image)).unwrap();
        image.save(folder.join(name).with_extension("png")).unwrap();
    }
    let program = compile(folder, Language::C, "c/inpaint.c");
    let run = |arguments: &[&str]| Command::new(&program).args(arguments).current_dir(folder).output().unwrap();
    let output = run(&["in.ppm", "mask.ppm", "out.ppm"]);
    assert!(output.status.success(), "{}", printed(&output));

    let arguments = ["restore", "in.png", "--model", "kds-inpaint", "--mask", "mask.png", "-o", "out.png"];
    assert!(kds().unwrap().args(arguments).current_dir(folder).status().unwrap().success());
    let expected = image::open(folder.join("out.png")).unwrap().to_rgb8();
    assert!(std::fs::read(folder.join("out.ppm")).unwrap() == ppm(&expected), "the pixels differ");
    for (x, y, hole) in hole.enumerate_pixels().filter(|(.., hole)| hole.0[0] == 0) {
        assert_eq!(expected.get_pixel(x, y), picture.get_pixel(x, y), "outside the hole, {hole:?}");
    }

    std::fs::write(folder.join("small.ppm"), ppm(&RgbImage::new(3, 2))).unwrap();
    let refused = run(&["in.ppm", "small.ppm", "never.ppm"]);
    assert_eq!(refused.status.code(), Some(1));
    let message = printed(&refused);
    assert!(message.contains("KDS_INVALID_IMAGE: mask: 3 x 2 pixels, the input has 33 x 21"), "{message}");
    assert!(!folder.join("never.ppm").exists());
}

#[test]
fn the_cpp_inpainting_changes_nothing_outside_the_hole() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(compile(folder.path(), Language::Cpp, "cpp/inpaint.cpp")).output().unwrap();
    let text = printed(&output);
    assert!(output.status.success() && text.contains("0 values changed outside the hole"), "{text}");
}

/// The pictures of the tests as PPM files in a folder: (path, what `restore` makes of it with the model's defaults).
fn pictures(folder: &Path, count: u32) -> Vec<(PathBuf, Vec<u8>)> {
    let picture = pairs::small_picture().unwrap();
    let restore = compile(folder, Language::C, "c/restore.c");
    (0..count)
        .map(|index| {
            let small = image::imageops::crop_imm(&picture, 7 * index, 5, 9 + index, 8).to_image();
            let (input, output) = (folder.join(format!("{index}.ppm")), folder.join(format!("{index}.expected")));
            std::fs::write(&input, ppm(&small)).unwrap();
            assert!(Command::new(&restore).arg(&input).arg(&output).output().unwrap().status.success());
            let expected = std::fs::read(&output).unwrap();
            (input, expected)
        })
        .collect()
}

#[test]
fn a_batch_over_threads_gives_what_single_runs_give() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = pictures(folder.path(), 3);
    let results = folder.path().join("results");
    std::fs::create_dir(&results).unwrap();
    let program = compile(folder.path(), Language::C, "c/threads.c");
    let missing = folder.path().join("missing.ppm");
    let inputs = pictures.iter().map(|(path, _)| path).chain([&missing]);
    let output = Command::new(program).arg("2").arg(&results).args(inputs).output().unwrap();
    // One file was not there: the others are done all the same.
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("missing.ppm"));
    for (path, expected) in pictures {
        let found = std::fs::read(results.join(path.file_name().unwrap())).unwrap();
        assert!(found == expected, "{}", path.display());
    }
    assert_eq!(std::fs::read_dir(&results).unwrap().count(), 3, "no partial files are left");
}

#[test]
fn control_c_cancels_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("in.ppm"), ppm(&RgbImage::new(256, 256))).unwrap();
    let program = compile(folder, Language::C, "c/cancel.c");
    let mut command = Command::new(program);
    command.args(["in.ppm", "out.ppm"]).current_dir(folder).stderr(std::process::Stdio::piped());
    with_default_signals(&mut command);
    let mut child = command.spawn().unwrap();
    let mut messages = child.stderr.take().unwrap();
    // The first line of progress says that the run has begun.
    let mut first = [0; 60];
    messages.read_exact(&mut first).unwrap();
    // SAFETY: a signal to a child that has not been waited for.
    unsafe { libc::kill(child.id().try_into().unwrap(), libc::SIGINT) };
    let mut rest = String::new();
    messages.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.ends_with("cancelled\n"), "{rest}");
    assert!(!folder.join("out.ppm").exists());
}

#[test]
fn a_program_that_does_not_link_the_library_lists_its_models() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(Language::C, "examples/c/dlopen.c").library("dl").compile(folder.path()).unwrap();
    let library = build_folder().unwrap().join("libkds.so");
    let output = Command::new(&program).arg(&library).output().unwrap();
    let text = printed(&output);
    assert!(output.status.success() && text.contains("kds-photo-x4: Photograph"), "{text}");
    for wrong in ["/nowhere/libkds.so", "libm.so.6"] {
        let output = Command::new(&program).arg(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
        assert!(printed(&output).starts_with("dlopen: "), "{}", printed(&output));
    }
}

#[test]
fn the_cpp_batch_does_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(folder.path(), Language::Cpp, "cpp/batch.cpp");
    let outputs = [(); 2].map(|()| Command::new(&program).output().unwrap());
    assert!(outputs[0].status.success(), "{}", printed(&outputs[0]));
    assert_eq!(String::from_utf8_lossy(&outputs[0].stdout).lines().count(), 3);
    assert_eq!(outputs[0].stdout, outputs[1].stdout);
}
