//! The C example, compiled as a user would and run: the same pixels as `kds` gives.

use std::path::Path;
use std::process::Command;

use image::RgbImage;
use kds_tests::command::{build_folder, kds};
use kds_tests::pairs::Pair;

/// A binary PPM, the picture format that takes no library.
fn ppm(image: &RgbImage) -> Vec<u8> {
    let mut bytes = format!("P6\n{} {}\n255\n", image.width(), image.height()).into_bytes();
    bytes.extend_from_slice(image.as_raw());
    bytes
}

fn compile(folder: &Path, source: &str) -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (library, program) = (build_folder().unwrap(), folder.join("program"));
    let output = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(root.join("include"))
        .arg(root.join("examples/c").join(source))
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
fn restore_gives_what_kds_gives() {
    let kitten = Pair::examples().unwrap().into_iter().find(|pair| pair.name == "kitten").unwrap();
    let small = image::imageops::crop_imm(&kitten.low, 40, 40, 33, 21).to_image();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("in.ppm"), ppm(&small)).unwrap();
    small.save(folder.join("in.png")).unwrap();
    let program = compile(folder, "restore.c");
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
