//! The plug-in in VapourSynth R81, driven by a script: the same pixels as the command's, and errors that a script can act on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{DynamicImage, RgbImage};
use kds_tests::command::{build_folder, built, kds};
use kds_tests::pairs::small_picture;
use kds_tests::vapoursynth;
use tempfile::TempDir;
use xtask::install::nodes;
use xtask::{install, wheel};

const SETTINGS: [&str; 6] = ["--particles", "2", "--steps", "2", "--seed", "5"];

/// A folder with pictures, what the command makes of them, and the socket of a worker that ends soon.
struct Session(TempDir);

impl Session {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A picture as a file for the command, and as the samples of its pixels for the script.
    fn save(&self, name: &str, picture: &DynamicImage) {
        picture.save(self.path(&format!("{name}.png"))).unwrap();
        std::fs::write(self.path(&format!("{name}.raw")), picture.as_bytes()).unwrap();
    }

    /// A small photograph, also grey, and a mask.
    fn photograph(self) -> Self {
        let small = DynamicImage::from(image::imageops::crop_imm(&small_picture().unwrap(), 0, 0, 24, 18).to_image());
        self.save("gray", &small.to_luma8().into());
        self.save("in", &small);
        let mask = RgbImage::from_fn(24, 18, |x, y| image::Rgb([if x > 8 && y < 10 { 255 } else { 0 }; 3]));
        self.save("mask", &DynamicImage::from(mask).to_luma8().into());
        self
    }

    /// What the command makes of one of them.
    fn expect(self, input: &str, output: &str, arguments: &[&str]) -> Self {
        let png = self.path(&format!("{output}.png"));
        let mut command = kds().unwrap();
        command.arg("restore").arg(self.path(&format!("{input}.png"))).arg("-o").arg(&png);
        succeed(command.args(SETTINGS).args(arguments));
        std::fs::write(self.path(&format!("{output}.raw")), image::open(&png).unwrap().as_bytes()).unwrap();
        self
    }

    /// A process of Python that runs a check of the script.
    fn script(&self, check: &str) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("vapoursynth/check.py");
        let mut command = Command::new(vapoursynth::python().unwrap());
        command.arg(script).arg(check).arg(self.0.path());
        command
            .env("XDG_RUNTIME_DIR", self.0.path())
            .env("XDG_CONFIG_HOME", self.0.path())
            .env("KDS_WORKER_IDLE", "10");
        command.env_remove("KDS_REGISTRY").env("VERSION", env!("CARGO_PKG_VERSION"));
        command.env("PLUGIN", built("libkds_vapoursynth.so").unwrap()).env("KDS_WORKER", built("kds").unwrap());
        command
    }
}

fn succeed(command: &mut Command) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{out}{errors}");
}

#[test]
fn clips_become_what_the_command_makes_of_their_pixels() {
    let session = Session::new()
        .photograph()
        .expect("in", "restored", &["--model", "kds-photo-x1"])
        .expect("gray", "gray_restored", &["--model", "kds-photo-x1"])
        .expect("in", "upscaled", &["--model", "kds-photo-x4"]);
    succeed(&mut session.script("pixels"));
    let libtorch = std::env::var_os("LIBTORCH").expect("cargo sets LIBTORCH");
    succeed(session.script("neighbours").env("OTHER_LIBTORCH", Path::new(&libtorch).join("lib")));
}

#[test]
fn holes_are_filled_as_the_command_fills_them() {
    let session = Session::new().photograph();
    let mask = session.path("mask.png");
    let session = session.expect("in", "filled", &["--model", "kds-inpaint", "--mask", mask.to_str().unwrap()]);
    succeed(&mut session.script("holes"));
}

#[test]
fn errors_name_what_to_do() {
    succeed(&mut Session::new().photograph().script("errors"));
}

#[test]
fn a_still_clip_stays_still_whoever_asks_when() {
    succeed(&mut Session::new().photograph().script("parallel"));
}

#[test]
fn a_killed_worker_costs_one_frame() {
    succeed(&mut Session::new().photograph().script("killed"));
}

#[test]
fn models_and_version_are_told_and_the_plug_in_may_be_closed() {
    succeed(&mut Session::new().script("descriptions"));
}

/// An environment of its own with VapourSynth, which plug-ins may be installed into.
fn environment(folder: &Path) -> PathBuf {
    let shared = vapoursynth::python().unwrap();
    succeed(Command::new(&shared).args(["-m", "venv", "--without-pip"]).arg(folder));
    let python = folder.join("bin/python");
    let packages = |python: &Path| {
        let mut ask = Command::new(python);
        let output = ask.args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).output().unwrap();
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    };
    let (from, to) = (packages(&shared), packages(&python));
    succeed(Command::new("cp").arg("-r").arg(from.join("vapoursynth")).arg(&to));
    // What the wheel asks pip for.
    let libtorch = std::env::var_os("LIBTORCH").expect("cargo sets LIBTORCH");
    std::os::unix::fs::symlink(std::fs::canonicalize(libtorch).unwrap(), to.join("torch")).unwrap();
    python
}

/// Runs `examples/nodes/vapoursynth.vpy` as its first lines say.
fn the_example_makes_a_film(session: &Session, python: &Path, package: &Path) {
    // With a worker of its own, which ends by itself.
    let runtime = tempfile::tempdir().unwrap();
    let in_session = |program: &Path| {
        let mut command = Command::new(program);
        let script = session.script("");
        command.envs(script.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env_remove("PLUGIN").env("XDG_RUNTIME_DIR", runtime.path());
        command
    };
    // Tells vspipe which Python it belongs to.
    succeed(in_session(python).args(["-m", "vapoursynth", "config"]));
    let (example, film) = ("../examples/nodes/vapoursynth.vpy", session.path("restored.y4m"));
    let mut vspipe = in_session(&package.join("vspipe"));
    vspipe.args(["-c", "y4m"]).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(example)).arg(&film);
    succeed(&mut vspipe);
    let film = std::fs::read(film).unwrap();
    assert!(film.starts_with(b"YUV4MPEG2 C444 W64 H48 "), "{:?}", &film[..60]);
    assert!(film.len() > 2 * 3 * 64 * 48);
}

#[test]
fn an_installation_and_a_wheel_are_found_by_vapoursynth_itself() {
    let session = Session::new().photograph().expect("in", "restored", &["--model", "kds-photo-x1"]);
    let python = environment(&session.path("environment"));
    let restores = |expected: &Path| {
        let mut command = Command::new(&python);
        let script = session.script("installed");
        command.args(script.get_args()).envs(script.get_envs().filter_map(|(name, value)| Some((name, value?))));
        succeed(command.env_remove("PLUGIN").env_remove("KDS_WORKER").env("EXPECTED", expected));
    };

    // `cargo xtask install --nodes`, of what lies in the build folder.
    let prefix = session.path("prefix");
    for (folder, file) in [(nodes::FOLDER, nodes::VAPOURSYNTH), ("bin", "kds")] {
        let folder = prefix.join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let place = folder.join(file);
        match file {
            "kds" => std::os::unix::fs::symlink(built(file).unwrap(), place).unwrap(),
            _ => std::fs::copy(built(file).unwrap(), place).map(|_| ()).unwrap(),
        }
    }
    let host = nodes::Host::vapoursynth(&python).unwrap();
    let link = host.link(&prefix).unwrap();
    restores(&build_folder().unwrap());
    the_example_makes_a_film(&session, &python, link.parent().and_then(Path::parent).unwrap());
    assert!(host.unlink().unwrap() && !link.exists() && !host.unlink().unwrap());

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let libtorch = PathBuf::from(std::env::var_os("LIBTORCH").expect("cargo sets LIBTORCH"));
    let source = install::Source { root: &root, built: &build_folder().unwrap(), libtorch: &libtorch };
    let wheel = wheel::write(&source, session.0.path()).unwrap();
    let pip = |arguments: &[&str]| {
        let mut pip = Command::new(vapoursynth::python().unwrap());
        pip.args(["-m", "pip", "--disable-pip-version-check", "--python"]).arg(&python).args(arguments);
        pip
    };
    succeed(pip(&["install", "--quiet", "--no-deps", "--no-index"]).arg(&wheel));
    let plug_ins = link.parent().unwrap().join("kds");
    assert!(plug_ins.join("kds").exists());
    restores(&plug_ins);
    succeed(&mut pip(&["uninstall", "--quiet", "--yes", "vapoursynth-kds"]));
    assert!(!plug_ins.exists());
    let error = nodes::Host::vapoursynth(Path::new("/bin/false")).unwrap_err().to_string();
    assert!(error.contains("--python"), "{error}");
}
