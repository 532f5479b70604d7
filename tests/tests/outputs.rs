//! What the `kds` command does to files that are there: nothing of the user's is lost, and nothing half done is left.

mod common;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Cursor;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Folder, QUICK, Run};
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;

/// A picture that no format makes small.
fn noise(side: u32) -> Vec<u8> {
    let mut state = 1u32;
    let picture = RgbImage::from_fn(side, side, |_, _| {
        Rgb([0; 3].map(|_: u8| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }))
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn width(path: &Path) -> u32 {
    image::open(path).unwrap().width()
}

#[test]
fn no_map_or_picture_replaces_a_photograph_or_a_mask() {
    let folder = Folder::new();
    let photograph = noise(16);
    for name in ["a.png", "mask.png", "other.png", "in/holiday.jpg", "in/holiday.png"] {
        folder.write(name, &photograph);
    }
    fs::create_dir(folder.path("out")).unwrap();
    fs::hard_link(folder.path("a.png"), folder.path("hard.png")).unwrap();
    let before = folder.files();
    let cases: &[&[&str]] = &[
        &["a.png", "-o", "o.png", "--confidence", "a.png"],
        &["a.png", "-o", "o.png", "--compare", "./a.png", "--overwrite"],
        &["a.png", "-o", "o.png", "--confidence", "hard.png", "--overwrite"],
        &["a.png", "-o", "o.png", "--confidence", "other.png"],
        &["a.png", "-o", "other.png"],
        &["a.png", "-o", "a.png"],
        &["a.png", "-o", "mask.png", "--mask", "mask.png", "--model", "kds-inpaint", "--overwrite"],
        &["a.png", "-o", "o.png", "--mask", "mask.png", "--compare", "mask.png", "--model", "kds-inpaint"],
        &["in/holiday.jpg", "-o", "out", "--confidence", "in"],
        &["in", "-o", "in", "--overwrite"],
    ];
    for case in cases {
        let run = Run::of(folder.command(&[&["restore"], *case].concat()).output().unwrap());
        assert!(run.code.is_some_and(|code| code != 0), "{case:?}: {run:?}");
        assert!(run.errors.lines().any(|line| line.contains("replace")), "{case:?}: {run:?}");
        assert_eq!(folder.files(), before, "{case:?}");
        for name in &before {
            assert_eq!(fs::read(folder.path(name)).unwrap(), photograph, "{case:?}: {name}");
        }
    }
}

#[test]
fn what_is_overwritten_keeps_its_mode_owner_and_links() {
    let folder = Folder::new();
    for name in ["in/private.png", "in/link.png", "in/hard.png", "out/private.png", "store/real.png", "out/hard.png"] {
        folder.write(name, &noise(16));
    }
    let path = |name: &str| folder.path(name);
    fs::set_permissions(path("out/private.png"), Permissions::from_mode(0o600)).unwrap();
    symlink("../store/real.png", path("out/link.png")).unwrap();
    fs::hard_link(path("out/hard.png"), path("second.png")).unwrap();
    const NOBODY: u32 = 65534;
    let root = fs::metadata(path("out")).unwrap().uid() == 0;
    if root {
        chown(path("out/private.png"), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    folder.restore("in", "out", &[&QUICK[..], &["--overwrite"]].concat()).succeeded("overwrite");

    let private = fs::metadata(path("out/private.png")).unwrap();
    assert_eq!(private.mode() & 0o7777, 0o600);
    assert_eq!(private.uid() == NOBODY, root);
    assert!(path("out/link.png").is_symlink() && !path("store/real.png").is_symlink());
    assert_eq!(fs::metadata(path("second.png")).unwrap().ino(), fs::metadata(path("out/hard.png")).unwrap().ino());
    for name in ["out/private.png", "store/real.png", "second.png"] {
        assert_eq!(width(&path(name)), 64, "{name}");
    }

    // In place, through a link.
    symlink("real.png", path("store/link.png")).unwrap();
    let settings = [&QUICK[..], &["--overwrite", "--model", "kds-photo-x1"]].concat();
    let before = fs::read(path("store/real.png")).unwrap();
    folder.restore("store/link.png", "store/link.png", &settings).succeeded("in place");
    assert!(path("store/link.png").is_symlink());
    assert_ne!(fs::read(path("store/real.png")).unwrap(), before);
    assert_eq!(width(&path("store/real.png")), 64);
}

#[test]
fn a_picture_is_done_when_everything_asked_for_is_there() {
    let folder = Folder::new();
    folder.write("in/a.png", &noise(16));
    folder.write("in/b.jpg", &noise(16));
    folder.write("out/b.jpg", b"");
    fs::create_dir(folder.path("maps")).unwrap();
    folder.restore("in", "out", &QUICK).succeeded("without maps");
    assert_eq!(width(&folder.path("out/b.jpg")), 64, "an empty file is no picture");

    let with_maps = [&QUICK[..], &["--confidence", "maps", "--json"]].concat();
    let statuses = |settings: &[&str]| -> Vec<String> {
        let arguments = [&["restore", "in", "-o", "out"], settings].concat();
        let output = folder.command(&arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let objects = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        objects.map(|object| object["status"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(statuses(&with_maps), ["restored", "restored"], "maps asked for later are made");
    assert_eq!(folder.files(), names(&["in/a.png", "in/b.jpg", "out/a.png", "out/b.jpg", "maps/a.png", "maps/b.png"]));
    for name in ["out/a.png", "maps/b.png"] {
        let whole = fs::read(folder.path(name)).unwrap();
        fs::write(folder.path(name), &whole[..whole.len() - 40]).unwrap();
    }
    assert_eq!(statuses(&with_maps), ["restored", "restored"], "what is cut short is made again");
    assert_eq!(width(&folder.path("maps/b.png")), 64);
    // Edited by somebody: it is theirs now.
    let edited = image::open(folder.path("out/a.png")).unwrap().grayscale();
    edited.save(folder.path("out/a.png")).unwrap();
    assert_eq!(statuses(&with_maps), ["skipped", "skipped"]);
    assert_eq!(image::open(folder.path("out/a.png")).unwrap(), edited);
}

#[test]
fn an_output_that_lost_its_end_is_made_again_and_one_that_was_edited_is_not() {
    let names = ["a.png", "b.jpg", "c.webp", "d.tif"];
    let folder = Folder::new();
    for name in names {
        folder.write(&format!("in/{name}"), &noise(16));
    }
    fs::create_dir(folder.path("out")).unwrap();
    folder.restore("in", "out", &QUICK).succeeded("first");
    let whole = names.map(|name| fs::read(folder.path(&format!("out/{name}"))).unwrap());
    for lost in [30, 2000] {
        for (name, whole) in names.iter().zip(&whole) {
            folder.write(&format!("out/{name}"), &whole[..whole.len() - lost]);
        }
        // A WebP file without its end could be anybody's.
        let run = folder.restore("in", "out", &QUICK);
        assert!(run.code == Some(1) && run.errors.contains("c.webp: exists, and is cut short; remove it"), "{run:?}");
        fs::remove_file(folder.path("out/c.webp")).unwrap();
        folder.restore("in", "out", &QUICK).succeeded("again");
        for (name, whole) in names.iter().zip(&whole) {
            assert_eq!(&fs::read(folder.path(&format!("out/{name}"))).unwrap(), whole, "{name} without {lost} bytes");
        }
    }
    // Made longer, and shorter than kds wrote it.
    for tags in [&["-Artist=somebody", "-XMP-dc:Title=A rather long title of a photograph"][..], &["-all="]] {
        let mut command = Command::new("exiftool");
        command.args(["-q", "-overwrite_original"]).args(tags);
        let edited = command.args(names.map(|name| folder.path(&format!("out/{name}")))).output().unwrap();
        assert!(edited.status.success(), "{edited:?}");
        let edited = names.map(|name| fs::read(folder.path(&format!("out/{name}"))).unwrap());
        folder.restore("in", "out", &QUICK).succeeded("edited");
        for ((name, whole), edited) in names.iter().zip(&whole).zip(&edited) {
            // Without what was added, a WebP file is what it was.
            assert!(edited != whole || *name == "c.webp", "{name} {tags:?}");
            assert_eq!(width(&folder.path(&format!("out/{name}"))), 64, "{name} {tags:?}");
            assert_eq!(&fs::read(folder.path(&format!("out/{name}"))).unwrap(), edited, "{name} {tags:?}");
        }
    }
}

#[test]
fn a_disk_that_is_full_at_the_map_leaves_nothing() {
    let folder = Folder::new();
    folder.write("in.png", &noise(48));
    let arguments = ["restore", "in.png", "-o", "out.jpg", "--quality", "5", "--compare", "sheet.png"];
    let mut command = folder.command(&[&arguments[..], &QUICK].concat());
    // SAFETY: setrlimit may be called between fork and exec; it touches nothing of this process.
    unsafe {
        command.pre_exec(|| {
            let limit = libc::rlimit { rlim_cur: 20_000, rlim_max: 20_000 };
            match libc::setrlimit(libc::RLIMIT_FSIZE, &limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    Run::of(command.output().unwrap()).refused("full disk", "sheet.png");
    assert_eq!(folder.files(), names(&["in.png"]));
}

/// A run that takes far longer than the test, once it has begun to write.
fn long_run(folder: &Folder, input: &str, output: &str) -> Child {
    let arguments = ["restore", input, "--output", output, "--particles", "8", "--steps", "1000"];
    let before = partials(folder);
    let mut child = folder.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while partials(folder).is_subset(&before) {
        assert!(start.elapsed() < Duration::from_secs(120) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn partials(folder: &Folder) -> BTreeSet<String> {
    let partial = |name: &String| name.starts_with(".kds-") && name.ends_with(".partial");
    folder.files().into_iter().filter(partial).collect()
}

#[test]
fn what_a_killed_run_left_is_removed_and_what_a_living_one_writes_is_not() {
    let folder = Folder::new();
    for name in ["a.png", "b.png", "c.png"] {
        folder.write(name, &noise(16));
    }
    let mut killed = long_run(&folder, "a.png", "killed.png");
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(partials(&folder).len(), 1);
    let mut living = long_run(&folder, "b.png", "living.png");
    // Its start has removed what the first left.
    assert_eq!(partials(&folder).len(), 1);
    folder.restore("b.png", "living.png", &QUICK).refused("the same file", "another run");
    folder.restore("c.png", "c-new.png", &QUICK).succeeded("beside a living run");
    assert!(living.try_wait().unwrap().is_none());
    assert_eq!(partials(&folder).len(), 1);
    living.kill().unwrap();
    living.wait().unwrap();
    folder.restore("c.png", "c-new.png", &QUICK).succeeded("over its own earlier output");
    assert_eq!(folder.files(), names(&["a.png", "b.png", "c.png", "c-new.png"]));
}

#[test]
fn two_runs_on_one_folder_share_the_work() {
    let folder = Folder::new();
    for name in ["in/a.png", "in/b.png", "in/c.png", "in/d.png"] {
        folder.write(name, &noise(24));
    }
    fs::create_dir(folder.path("out")).unwrap();
    let arguments = ["restore", "in", "-o", "out", "--json", "--particles", "2", "--steps", "4"];
    let runs = [0, 1].map(|_| folder.command(&arguments).spawn().unwrap());
    let mut restored = Vec::new();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let object: Value = serde_json::from_str(line).unwrap();
            match object["status"].as_str() {
                Some("restored") => restored.push(object["input"].as_str().unwrap().to_owned()),
                status => assert_eq!(status, Some("skipped"), "{object}"),
            }
        }
    }
    restored.sort();
    assert_eq!(restored, ["in/a.png", "in/b.png", "in/c.png", "in/d.png"]);
    assert_eq!(partials(&folder), BTreeSet::new());
}
