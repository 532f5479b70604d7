//! The scripts of examples/gimp restore a folder, each as its first lines say.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use kds_tests::command::kds;
use kds_tests::gimp::Version::{self, Three, Two};
use kds_tests::gimp::{Session, pixels};
use kds_tests::pairs::small_picture;

/// A session with two photographs in `photos`, an empty folder `restored`, and the examples.
fn session(version: Version, name: &str) -> Session {
    let session = Session::new(version, name).unwrap();
    for folder in ["photos", "restored", "examples"] {
        fs::create_dir(session.folder().join(folder)).unwrap();
    }
    let photo = image::imageops::crop_imm(&small_picture().unwrap(), 9, 6, 12, 10).to_image();
    session.write("photos/one.png", photo.clone()).unwrap();
    session.write("photos/two.PNG", image::imageops::rotate90(&photo)).unwrap();
    for file in fs::read_dir(examples()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), session.folder().join("examples").join(file.file_name())).unwrap();
    }
    session
}

fn examples() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/gimp"))
}

/// Both photographs are what the command makes of them.
fn check(session: &Session, further: &[&str]) {
    for (photo, restored) in [("photos/one.png", "restored/one.png"), ("photos/two.PNG", "restored/two.png")] {
        let mut command = kds().unwrap();
        command.args(["restore", photo, "-o", "expected.png", "--model", "kds-photo-x1"]).args(further);
        assert!(command.current_dir(session.folder()).output().unwrap().status.success());
        let restored = session.read(restored).unwrap();
        pixels::same(photo, &restored, &session.read("expected.png").unwrap()).unwrap();
    }
}

fn run(mut command: Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

fn script_fu(version: Version, file: &str) {
    let session = session(version, "script-fu");
    let folder = session.folder_inside();
    let folder = folder.display();
    run(session.console(&[&format!(
        "(load \"{folder}/examples/{file}\") (kds-restore-folder \"{folder}/photos\" \"{folder}/restored\")"
    )]));
    check(&session, &[]);
}

#[test]
fn script_fu_in_gimp_2() {
    script_fu(Two, "restore-folder-2.10.scm");
}

#[test]
fn script_fu_in_gimp_3() {
    script_fu(Three, "restore-folder-3.scm");
}

#[test]
fn python_outside_of_gimp_2() {
    let session = session(Two, "python");
    let mut command = session.command("python3");
    command.arg(examples().join("restore_folder_2_10.py"));
    command.args(["photos", "restored", "particles=2", "steps=2"]).current_dir(session.folder());
    run(command);
    check(&session, &["--particles", "2", "--steps", "2"]);
}

#[test]
fn python_in_gimp_3() {
    let session = session(Three, "python");
    let folder = session.folder_inside();
    let folder = folder.display();
    let mut command = session.command("env");
    command.arg(format!("PYTHONPATH={folder}/examples")).arg("gimp-console-3.0").args(["-i", "-d", "-f", "--quit"]);
    command.args(["--batch-interpreter=python-fu-eval", "-b"]).arg(format!(
        "from restore_folder_3 import restore_folder; restore_folder('{folder}/photos', '{folder}/restored', \
         particles=2, steps=2)"
    ));
    run(command);
    check(&session, &["--particles", "2", "--steps", "2"]);
}
