//! The operations in GEGL, driven by its command, a viewer, and GIMP: the same pixels as the command's of KDS, and errors that the
//! host survives.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use image::{DynamicImage, Rgba, RgbaImage};
use kds_tests::command::{built, kds};
use kds_tests::gimp::{self, Version};
use kds_tests::pairs::small_picture;
use kds_tests::worker;
use tempfile::TempDir;
use xtask::install::gimp::Home;
use xtask::install::nodes::{self, Host};

const OF_COMMAND: [&str; 6] = ["--particles", "2", "--steps", "2", "--seed", "5"];
const OF_GEGL: [&str; 3] = ["particles=2", "steps=2", "seed=5"];

/// A folder with pictures, an installation that GEGL finds, and the socket of a worker that ends soon.
struct Session(TempDir);

impl Session {
    fn new() -> Self {
        let session = Self(tempfile::tempdir().unwrap());
        // `cargo xtask install --nodes`, of what lies in the build folder.
        let prefix = session.path("prefix");
        for folder in [nodes::GEGL_FOLDER, "bin"] {
            fs::create_dir_all(prefix.join(folder)).unwrap();
        }
        fs::copy(built(nodes::GEGL).unwrap(), prefix.join(nodes::GEGL_FOLDER).join(nodes::GEGL)).unwrap();
        symlink(built("kds").unwrap(), prefix.join("bin/kds")).unwrap();
        session.host().link(&prefix).unwrap();
        session.photograph().save(session.path("in.png")).unwrap();
        session
    }

    fn host(&self) -> Host {
        Host::gegl(&Home { configuration: self.path("config"), data: self.path("data"), elsewhere: [None, None] })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A small photograph of odd sides, with noise.
    fn photograph(&self) -> DynamicImage {
        image::imageops::crop_imm(&small_picture().unwrap(), 0, 0, 25, 19).to_image().into()
    }

    /// The same with another alpha.
    fn with_alpha(&self, name: &str, alpha: impl Fn(u32, u32) -> u8) {
        let colours = self.photograph().to_rgba8();
        let picture = RgbaImage::from_fn(25, 19, |x, y| {
            let [red, green, blue, _] = colours.get_pixel(x, y).0;
            Rgba([red, green, blue, alpha(x, y)])
        });
        picture.save(self.path(name)).unwrap();
    }

    /// Result of `kds` for one of the pictures.
    fn expected(&self, input: &str, model: &str, arguments: &[&str]) -> DynamicImage {
        let output = self.path("expected.png");
        let mut command = kds().unwrap();
        command.arg("restore").arg(self.path(input)).arg("-o").arg(&output).args(["--model", model, "--overwrite"]);
        let run = command.args(OF_COMMAND).args(arguments).current_dir(self.0.path()).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        image::open(output).unwrap()
    }

    /// A program with the environment of this session.
    fn program(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        for variable in ["KDS_WORKER", "KDS_REGISTRY", "GEGL_PATH", "G_DEBUG"] {
            command.env_remove(variable);
        }
        command.env("XDG_RUNTIME_DIR", self.0.path()).env("XDG_CONFIG_HOME", self.path("config"));
        command.env("XDG_DATA_HOME", self.path("data")).env("KDS_WORKER_IDLE", "10").env("LC_ALL", "C");
        command.current_dir(self.0.path());
        command
    }

    /// Result of the command `gegl` for one of the pictures, and messages of our operations. Fails where the command does.
    fn gegl(&self, input: &str, graph: &[&str]) -> (DynamicImage, String) {
        let mut command = self.program("gegl");
        command.args(input.split_whitespace()).args(["-o", "out.png", "--"]);
        self.run(command.args(graph))
    }

    fn run(&self, command: &mut Command) -> (DynamicImage, String) {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !said.contains("panicked"), "{command:?}: {}\n{said}", output.status);
        let ours: String = said.lines().filter(|line| line.contains("kds:")).collect();
        let result = image::open(self.path("out.png")).unwrap_or_else(|error| panic!("{command:?}: {error}\n{said}"));
        fs::remove_file(self.path("out.png")).unwrap();
        (result, ours)
    }

    /// The same without a word.
    fn made(&self, input: &str, graph: &[&str]) -> DynamicImage {
        let (result, said) = self.gegl(input, graph);
        assert_eq!(said, "", "{graph:?}");
        result
    }
}

/// All samples, alpha too, differ by no more than a grey level of 255.
fn agree(ours: &DynamicImage, theirs: &DynamicImage) {
    assert_eq!((ours.width(), ours.height()), (theirs.width(), theirs.height()));
    assert_eq!(ours.color().has_alpha(), theirs.color().has_alpha());
    let (ours, theirs) = (ours.to_rgba16(), theirs.to_rgba16());
    let worst = ours.iter().zip(theirs.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(worst <= 257 + 2, "{worst} of 65535");
}

#[test]
fn pictures_become_what_the_command_makes_of_them() {
    let session = Session::new();
    let graph = |operation| [&[operation][..], &OF_GEGL].concat();
    let restored = session.made("in.png", &graph("kds:restore"));
    agree(&restored, &session.expected("in.png", "kds-photo-x1", &[]));
    // Nothing was rounded to 8 bits on the way.
    assert!(restored.to_rgb16().iter().any(|sample| sample % 257 != 0));
    agree(&session.made("in.png", &graph("kds:upscale")), &session.expected("in.png", "kds-photo-x4", &[]));
    let twice = session.made("in.png", &[&graph("kds:upscale")[..], &["scale=2"]].concat());
    agree(&twice, &session.expected("in.png", "kds-photo-x4", &["--scale", "2"]));

    session.with_alpha("alpha.png", |x, y| (40 + 5 * x + 4 * y) as u8);
    agree(&session.made("alpha.png", &graph("kds:restore")), &session.expected("alpha.png", "kds-photo-x1", &[]));
    session.photograph().to_luma8().save(session.path("gray.png")).unwrap();
    agree(&session.made("gray.png", &graph("kds:restore")), &session.expected("gray.png", "kds-photo-x1", &[]));

    // A graph of two, and what each makes of the other's result.
    restored.save(session.path("restored.png")).unwrap();
    let both = session.made("in.png", &[graph("kds:restore"), graph("kds:upscale")].concat());
    agree(&both, &session.made("restored.png", &graph("kds:upscale")));
    // Highlights above white are kept: four times as bright, restored, and a quarter as bright.
    let bright = [&["gegl:multiply", "value=4"][..], &graph("kds:restore"), &["gegl:multiply", "value=0.25"]].concat();
    let (bright, clipped) = (session.made("in.png", &bright).to_rgb8(), 138);
    let (brightest, of_source) =
        (bright.iter().max().unwrap(), session.photograph().to_rgb8().iter().max().copied().unwrap());
    assert!(of_source > clipped + 40 && brightest.abs_diff(of_source) < 20, "{brightest} of {of_source}");
    // A picture that does not lie at the origin: what is in it becomes the same.
    let moved = ["gegl:translate", "x=7", "y=-3"];
    agree(&session.made("in.png", &[&moved[..], &graph("kds:restore")].concat()), &restored);
}

#[test]
fn holes_are_filled_as_the_command_fills_them() {
    let session = Session::new();
    let is_hole = |x: u32, y: u32| x > 8 && y < 10;
    let mask = image::GrayImage::from_fn(25, 19, |x, y| image::Luma([if is_hole(x, y) { 255 } else { 0 }]));
    mask.save(session.path("mask.png")).unwrap();
    let expected = session.expected("in.png", "kds-inpaint", &["--mask", "mask.png"]);
    let by_mask = ["aux=[", "gegl:load", "path=mask.png", "]"];
    let fill = [&["kds:inpaint"][..], &OF_GEGL].concat();
    agree(&session.made("in.png", &[&fill[..], &by_mask].concat()), &expected);

    // Without a mask, what is transparent is filled and becomes opaque; other alpha stays.
    session.with_alpha("holes.png", |x, y| if is_hole(x, y) { 0 } else { 255 });
    let filled = session.made("holes.png", &fill);
    assert!(filled.color().has_alpha());
    agree(&filled.to_rgb8().into(), &expected.to_rgb8().into());
    assert!(filled.to_rgba8().pixels().all(|pixel| pixel.0[3] == 255));
    let (picture, said) = session.gegl("in.png", &fill);
    assert!(said.contains("kds:inpaint: there is nothing to fill"), "{said}");
    agree(&picture, &session.photograph());
}

#[test]
fn errors_are_told_and_the_picture_is_passed_on() {
    let session = Session::new();
    let refused = |graph: &[&str], words: &[&str]| {
        let (picture, said) = session.gegl("in.png", graph);
        assert!(words.iter().all(|word| said.contains(word)), "{graph:?}: {said}");
        agree(&picture, &session.photograph());
    };
    refused(&["kds:restore", "model=none"], &["kds:restore: there is no model 'none'", "choose one of: kds-photo-x1"]);
    refused(&["kds:upscale", "model=kds-photo-x1"], &["kds:upscale: there is no model", "kds-photo-x4"]);
    refused(&["kds:restore", "bandwidth=wide"], &["bandwidth", "'wide'"]);
    refused(&["kds:restore", "device=cuda:99"], &["cuda"]);
    refused(&["kds:restore", "memory=100KiB"], &["memory"]);
    // One that fails does not hinder the next.
    let (picture, said) =
        session.gegl("in.png", &[&["kds:restore", "model=none", "kds:restore"][..], &OF_GEGL].concat());
    assert!(said.contains("model 'none'"), "{said}");
    agree(&picture, &session.expected("in.png", "kds-photo-x1", &[]));
    // An enlargement that was announced and fails keeps its size.
    let (picture, said) = session.gegl("in.png", &["kds:upscale", "memory=100KiB"]);
    assert!(said.contains("memory"), "{said}");
    assert_eq!((picture.width(), picture.height()), (100, 76));
    assert_eq!(picture.to_rgb8().get_pixel(99, 75), session.photograph().to_rgb8().get_pixel(24, 18));

    let (pattern, said) = session.gegl("", &["gegl:checkerboard", "kds:restore", "gegl:crop", "width=30", "height=20"]);
    assert!(said.contains("the input has no end") && said.contains("gegl:crop"), "{said}");
    assert_eq!((pattern.width(), pattern.height()), (30, 20));
    let mut without_kds = session.program("gegl");
    without_kds.args(["in.png", "-o", "out.png", "--", "kds:restore"]).env("KDS_WORKER", "/nowhere/kds");
    let (picture, said) = session.run(&mut without_kds);
    assert!(said.contains("/nowhere/kds"), "{said}");
    agree(&picture, &session.photograph());
}

#[test]
fn a_killed_worker_costs_one_picture() {
    let session = Session::new();
    let mut gegl = session.program("gegl");
    gegl.args(["in.png", "-o", "out.png", "--", "kds:restore", "particles=8", "steps=1000"]).stderr(Stdio::piped());
    let gegl = gegl.spawn().unwrap();
    worker::kill(worker::in_the_middle(session.0.path()));
    let output = gegl.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("worker") && said.contains("passed on as it is"), "{said}");
    agree(&image::open(session.path("out.png")).unwrap(), &session.photograph());
    let again = session.made("in.png", &[&["kds:restore"][..], &OF_GEGL].concat());
    agree(&again, &session.expected("in.png", "kds-photo-x1", &[]));
}

#[test]
fn what_is_looked_at_again_is_not_computed_again() {
    let session = Session::new();
    let (source, viewer) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("gegl/viewer.c"), session.path("viewer"));
    let flags = Command::new("pkg-config").args(["--cflags", "--libs", "gegl-0.4"]).output().unwrap();
    let flags = String::from_utf8(flags.stdout).unwrap();
    let mut compile = Command::new("cc");
    compile.args(["-Wall", "-Wextra", "-Werror"]).arg(source).arg("-o").arg(&viewer).args(flags.split_whitespace());
    assert!(compile.status().unwrap().success());
    let output = session.program(&viewer).arg("in.png").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let times = |of: &str| -> u32 {
        let line = said.lines().find_map(|line| line.strip_prefix(of)).unwrap_or_else(|| panic!("{said}"));
        line.trim().parse().unwrap()
    };
    assert!(times("first") > 1 && times("changed") > 1, "{said}");
    assert_eq!((times("beside"), times("again")), (0, 0), "{said}");
}

#[test]
fn a_folder_is_restored_by_the_example() {
    let session = Session::new();
    fs::create_dir(session.path("photos")).unwrap();
    fs::rename(session.path("in.png"), session.path("photos/first.png")).unwrap();
    session.photograph().save(session.path("in.png")).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/nodes/gegl.sh");
    let run = |arguments: &[&str]| {
        let mut command = session.program("sh");
        command.arg(&example).args(["photos", "restored"]).args(arguments).output().unwrap()
    };
    let done = run(&[&["kds:restore"][..], &OF_GEGL].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    agree(&image::open(session.path("restored/first.png")).unwrap(), &session.expected("in.png", "kds-photo-x1", &[]));
    let refused = run(&["kds:restore", "model=none"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("no model 'none'"));
    assert!(!session.path("restored/first.png").exists());

    assert!(session.host().unlink().unwrap() && !session.host().unlink().unwrap());
    let exists = session.program("gegl").args(["--exists", "kds:restore"]).output().unwrap();
    assert!(!exists.status.success());
}

/// A GIMP with the operations where `cargo xtask install --nodes` puts them.
fn gimp(version: Version) -> gimp::Session {
    let session = gimp::Session::new(version, "gegl").unwrap();
    let home = Home { configuration: PathBuf::new(), data: session.folder().join("data"), elsewhere: [None, None] };
    Host::gegl(&home).link(&session.folder().join("../.local/share/kds")).unwrap();
    // Of this session alone.
    session.set("XDG_DATA_HOME", &session.folder_inside().join("data").display().to_string()).unwrap();
    session
}

#[test]
fn gimp_2_loads_the_operations_and_has_nothing_to_say() {
    let session = gimp(Version::Two);
    let log = session.folder().join("log");
    let mut command = session.console(&[]);
    let file = fs::File::create(&log).unwrap();
    command.stdout(file.try_clone().unwrap()).stderr(file);
    let mut running = command.spawn().unwrap();
    let maps = format!("/proc/{}/maps", running.id());
    let mut loaded = false;
    while running.try_wait().unwrap().is_none() {
        loaded |= fs::read_to_string(&maps).is_ok_and(|maps| maps.contains(nodes::GEGL));
        std::thread::sleep(Duration::from_millis(10));
    }
    let said = fs::read_to_string(log).unwrap();
    assert!(loaded, "{said}");
    assert!(!said.contains("kds") && !said.contains("WARNING") && !said.contains("CRITICAL"), "{said}");
}

#[test]
fn gimp_3_restores_a_layer_by_the_filter() {
    let session = gimp(Version::Three);
    let pictures = Session::new();
    session.write("in.png", pictures.photograph()).unwrap();
    session
        .run(
            r#"(define image (load-image (in-folder "in.png")))
               (gimp-drawable-merge-new-filter (top-layer image) "kds:restore" "restored" LAYER-MODE-REPLACE 1.0
                                               "particles" 2 "steps" 2 "seed" 5)
               (write-png image (in-folder "out.png"))"#,
        )
        .unwrap();
    let restored = session.read("out.png").unwrap().to_rgb8().into();
    agree(&restored, &pictures.expected("in.png", "kds-photo-x1", &[]).to_rgb8().into());
}
