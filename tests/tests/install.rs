//! What `cargo xtask install` and `cargo xtask dist` make, used as a stranger would: in another place, with nothing of
//! the build tree, on a system that has neither Rust nor Python.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::RgbImage;
use kds_tests::command::{build_folder, kds};
use kds_tests::debian_root::DebianRoot;
use kds_tests::pairs::Pair;
use tempfile::TempDir;
use xtask::{deb, dist, flatpak, install};

const SETTINGS: [&str; 6] = ["--particles", "2", "--steps", "2", "--seed", "5"];
/// What points to the build tree, or to a KDS that happens to be installed.
const LEADING_ELSEWHERE: [&str; 7] = [
    "CMAKE_PREFIX_PATH",
    "KDS_LIBRARY",
    "KDS_REGISTRY",
    "LD_LIBRARY_PATH",
    "LIBTORCH",
    "PKG_CONFIG_LIBDIR",
    "PKG_CONFIG_PATH",
];

fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

/// A folder on the disk of the target folder: an installation is half a gigabyte, too much for some `/tmp`.
fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// The installation of what was built for this test; nothing is built again.
fn tree() -> install::Tree {
    let libtorch = std::env::var_os("LIBTORCH").expect("cargo sets LIBTORCH");
    install::Source { root: &root(), built: &build_folder().unwrap(), libtorch: Path::new(&libtorch) }.tree().unwrap()
}

fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for variable in LEADING_ELSEWHERE {
        command.env_remove(variable);
    }
    command
}

/// What a program that must succeed printed.
fn output(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; `cargo xtask test` installs what the tests need");
    });
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{command:?}: {status}\n{stdout}{}", String::from_utf8_lossy(&stderr));
    stdout
}

/// Writes a small photograph as `in.png` and `in.ppm`, and returns what the build tree's `kds` makes of it.
fn photograph(folder: &Path) -> RgbImage {
    let kitten = Pair::examples().unwrap().into_iter().find(|pair| pair.name == "kitten").unwrap();
    let small = image::imageops::crop_imm(&kitten.low, 40, 40, 33, 21).to_image();
    small.save(folder.join("in.png")).unwrap();
    let mut ppm = format!("P6\n{} {}\n255\n", small.width(), small.height()).into_bytes();
    ppm.extend_from_slice(small.as_raw());
    fs::write(folder.join("in.ppm"), ppm).unwrap();
    output(kds().unwrap().args(["restore", "in.png", "-o", "expected.png"]).args(SETTINGS).current_dir(folder));
    pixels(&folder.join("expected.png"))
}

fn pixels(file: &Path) -> RgbImage {
    image::open(file).unwrap().to_rgb8()
}

/// All regular files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => open.push(entry.path()),
                kind if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}

/// The values of the dynamic section's entries of these kinds, by readelf.
fn dynamic(file: &Path, kinds: &[&str]) -> Vec<String> {
    let text = output(command("readelf").arg("-dW").arg(file).env("LC_ALL", "C"));
    let lines = text.lines().filter(|line| kinds.iter().any(|kind| line.contains(&format!("({kind})"))));
    lines.map(|line| line.split(['[', ']']).nth(1).unwrap().to_owned()).collect()
}

#[test]
fn an_installation_works_wherever_it_is_moved() {
    let folder = folder();
    let folder = folder.path();
    let place = |name: &str| folder.join(name);
    install::install(&tree(), &place("first")).unwrap();
    fs::rename(place("first"), place("second")).unwrap();
    let second = place("second");
    let expected = photograph(folder);

    only_relative_paths_are_searched(&second);
    let program_c = build_with_pkg_config(&second, folder);
    let program_cpp = build_with_cmake(&second, folder);
    fs::rename(&second, place("third")).unwrap();
    let third = place("third");

    for program in [&program_c, &program_cpp] {
        let needed = dynamic(program, &["NEEDED"]);
        assert!(needed.contains(&"libkds.so.1".to_owned()), "{needed:?}");
    }
    let mut in_c = command(program_c);
    in_c.args(["in.ppm", "out.ppm", "particles=2", "steps=2", "seed=5"]).env("LD_LIBRARY_PATH", third.join("lib"));
    output(in_c.current_dir(folder));
    let written = fs::read(folder.join("out.ppm")).unwrap();
    assert!(written.ends_with(expected.as_raw()), "the program in C restores other pixels");
    let in_cpp = output(command(program_cpp).env("LD_LIBRARY_PATH", third.join("lib")).current_dir(folder));
    assert!(in_cpp.contains("4 of 4 evaluations\n"), "{in_cpp}");

    // Another libtorch that somebody has put before all others is not taken.
    let foreign = place("foreign");
    fs::create_dir(&foreign).unwrap();
    for name in ["libtorch_cpu.so", "libc10.so"] {
        output(command("cc").args(["-shared", "-x", "c", "/dev/null", "-o"]).arg(foreign.join(name)));
    }
    let mut installed = command(third.join("bin/kds"));
    installed.env("LD_LIBRARY_PATH", &foreign);
    output(installed.args(["restore", "in.png", "-o", "out.png"]).args(SETTINGS).current_dir(folder));
    assert!(fs::read(folder.join("out.png")).unwrap() == fs::read(folder.join("expected.png")).unwrap());

    install::uninstall(&third).unwrap();
    assert_eq!(fs::read_dir(&third).unwrap().count(), 0);
}

/// By readelf what every library asks for, and by the loader what it finds for ours.
fn only_relative_paths_are_searched(prefix: &Path) {
    let library = prefix.join("lib/libkds.so");
    assert_eq!(fs::canonicalize(&library).unwrap(), prefix.join(format!("lib/libkds.so.1.{}", install::VERSION)));
    assert_eq!(fs::read_link(&library).unwrap(), Path::new("libkds.so.1"));
    assert_eq!(dynamic(&library, &["SONAME"]), ["libkds.so.1"]);
    let libraries: Vec<_> = files(prefix).into_iter().filter(|file| file.to_string_lossy().contains(".so")).collect();
    assert!(libraries.iter().any(|file| file.ends_with("libtorch_cpu.so")), "{libraries:?}");
    for file in libraries.iter().chain([&prefix.join("bin/kds")]) {
        for search in dynamic(file, &["RPATH", "RUNPATH"]) {
            assert!(search.split(':').all(|folder| folder.starts_with("$ORIGIN")), "{}: {search}", file.display());
        }
    }
    let ours = output(command("ldd").arg(&library));
    assert!(!ours.contains("not found"), "{ours}");
    for name in ["libtorch_cpu.so", "libc10.so", "libgomp.so"] {
        let line = ours.lines().find(|line| line.trim().starts_with(name)).unwrap_or_else(|| panic!("{name}: {ours}"));
        assert!(line.contains(&format!("=> {}/lib/kds/", prefix.display())), "{line}");
    }
}

fn build_with_pkg_config(prefix: &Path, folder: &Path) -> PathBuf {
    let mut ask = command("pkg-config");
    ask.args(["--cflags", "--libs", "kds"]).env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    let flags = output(&mut ask);
    let program = folder.join("restore-c");
    let mut compile = command("cc");
    compile.args(["-std=c99", "-Wall", "-Werror"]).arg(root().join("examples/c/restore.c"));
    output(compile.args(flags.split_whitespace()).arg("-o").arg(&program));
    program
}

fn build_with_cmake(prefix: &Path, folder: &Path) -> PathBuf {
    let build = folder.join("cmake");
    let mut configure = command("cmake");
    configure.arg("-S").arg(root().join("examples/cpp")).arg("-B").arg(&build);
    output(configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())));
    output(command("cmake").arg("--build").arg(&build));

    // A program that was written for a later major version is not served.
    let script = folder.join("later.cmake");
    fs::write(&script, "find_package(kds 9.0 CONFIG)\nmessage(\"found: ${kds_FOUND} ${kds_CONSIDERED_VERSIONS}\")\n")
        .unwrap();
    let asked = command("cmake").env("CMAKE_PREFIX_PATH", prefix).arg("-P").arg(&script).output().unwrap();
    let said = String::from_utf8_lossy(&asked.stderr);
    assert!(said.contains(&format!("found: 0 {}", install::VERSION)), "{said}");
    build.join("restore")
}

/// By `install.sh`, with a home folder in which GIMPs have left their settings; afterwards nothing is left of it.
fn its_script_installs_for_a_user(debian: &DebianRoot, folder: &Path, expected: &RgbImage) {
    let home = folder.join("it's home");
    for version in ["2.10", "3.0"] {
        fs::create_dir_all(home.join(".config/GIMP").join(version)).unwrap();
    }
    let at_home = |arguments: &[&str]| {
        let mut command = debian.command(folder, "env");
        command.arg("HOME=/mnt/it's home").args(arguments);
        command
    };
    let script = format!("{}/install.sh", dist::name());
    // Twice, as when a newer version is installed.
    output(&mut at_home(&["sh", &script]));
    let said = output(&mut at_home(&["sh", &script]));
    assert!(said.contains("GIMP/2.10/plug-ins/kds/kds") && said.contains("GIMP/3.0/plug-ins/kds/kds"), "{said}");
    let moved = folder.join("moved");
    fs::rename(folder.join(dist::name()), &moved).unwrap();
    let mut restore = at_home(&["/mnt/it's home/.local/bin/kds", "restore", "in.png", "-o", "out.png"]);
    output(restore.args(SETTINGS));
    assert!(pixels(&folder.join("out.png")) == *expected, "other pixels after install.sh");
    for version in ["2.10", "3.0"] {
        let plug_in = format!("/mnt/it's home/.config/GIMP/{version}/plug-ins/kds/kds");
        let said = at_home(&[&plug_in]).output().unwrap().stderr;
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("this plug-in only works inside the GIMP it is made for"), "{said}");
    }
    fs::rename(&moved, folder.join(dist::name())).unwrap();
    output(&mut at_home(&["sh", &script, "--uninstall"]));
    let left = output(&mut at_home(&["find", "it's home", "!", "-type", "d"]));
    assert_eq!(left, "", "left behind");
    assert!(!home.join(".local/share/kds").exists());
}

/// As a package in Debian 12, 13 and testing, the last two with their GIMP 3: the command and the plug-in work, and nothing is
/// left when it is removed.
#[test]
fn the_package_serves_the_command_and_gimp() {
    const SCRIPT: &str = r##"dpkg -i kds.deb && kds restore in.png -o out.png "$@" && { [ ! -e by-gimp.sh ] || sh by-gimp.sh; } &&
        dpkg -r kds && find / -xdev -name '*kds*' ! -path '/mnt*' ! -path '/tmp/*' ! -path '/var/lib/dpkg/*' >left"##;
    let folder = folder();
    let folder = folder.path();
    let expected = photograph(folder);
    deb::write(tree(), &folder.join("kds.deb")).unwrap();
    let check = |release: &str| {
        assert!(pixels(&folder.join("out.png")) == expected, "other pixels by the package on Debian {release}");
        assert_eq!(fs::read_to_string(folder.join("left")).unwrap(), "", "left behind on Debian {release}");
        fs::remove_file(folder.join("out.png")).unwrap();
    };
    output(&mut in_copy(&DebianRoot::new("bookworm").unwrap(), folder, SCRIPT));
    check("bookworm");
    for (release, debian) in [("trixie", debian_with_gimp()), ("testing", DebianRoot::testing().unwrap())] {
        enlarged_by_gimp(&debian, folder, &expected, SCRIPT);
        check(release);
    }
}

/// GIMP 3.2 takes over the settings of 3.0, and copies its plug-ins: the copy works, installs again and leaves nothing.
#[test]
fn the_plug_in_outlives_an_upgrade_of_gimp() {
    const SCRIPT: &str = r##"cd /mnt && tar -xzf kds.tar.gz -C /tmp && mkdir -p "$HOME/.config/GIMP/3.0" &&
        echo '(undo-levels 7)' >"$HOME/.config/GIMP/3.0/gimprc" &&
        sh /tmp/kds-*/install.sh && sh by-gimp.sh &&
        grep -q 'undo-levels 7' "$HOME/.config/GIMP/3.2/gimprc" && test -f "$HOME/.config/GIMP/3.2/plug-ins/kds/kds" &&
        sh /tmp/kds-*/install.sh && sh /tmp/kds-*/install.sh --uninstall &&
        find "$HOME" -path '*plug-ins/kds*' >left"##;
    let folder = folder();
    let folder = folder.path();
    let expected = photograph(folder);
    dist::write(&tree(), &folder.join("kds.tar.gz")).unwrap();
    enlarged_by_gimp(&DebianRoot::testing().unwrap(), folder, &expected, SCRIPT);
    assert_eq!(fs::read_to_string(folder.join("left")).unwrap(), "", "left behind");
}

/// As an extension for the GIMP 3 of Flatpak: what its manifest does, in the folders that it finds there. (flatpak-builder takes
/// GIMP itself from Flathub.)
#[test]
fn the_extension_for_flatpak_serves_gimp() {
    const SCRIPT: &str = r##"export FLATPAK_DEST=/app/extensions/kds && mkdir -p /tmp/source "$FLATPAK_DEST" /app/extensions/plug-ins &&
        tar -xzf flatpak/*.tar.gz --strip-components=1 -C /tmp/source && cp flatpak/*.xml /tmp/source && cd /tmp/source &&
        sh -e /mnt/commands.sh && cd /mnt && rm -r /tmp/source &&
        ln -s ../kds/plug-ins/kds /app/extensions/plug-ins/kds &&
        mkdir -p /tmp/home/.config/GIMP/3.0 && echo '(plug-in-path "/app/extensions/plug-ins:${gimp_plug_in_dir}/plug-ins")' \
            >/tmp/home/.config/GIMP/3.0/gimprc &&
        sh by-gimp.sh 2>said && { ! grep 'no worker' said >&2; } &&
        test -f "$FLATPAK_DEST/share/metainfo/org.gimp.GIMP.Plugin.kds.metainfo.xml""##;
    let folder = folder();
    let folder = folder.path();
    let expected = photograph(folder);
    flatpak::write(&tree(), &folder.join("flatpak")).unwrap();
    let manifest = fs::read(folder.join(format!("flatpak/{}.json", flatpak::ID))).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let module = &manifest["modules"][0];
    let commands: Vec<_> =
        module["build-commands"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(commands, flatpak::commands());
    fs::write(folder.join("commands.sh"), commands.join("\n")).unwrap();
    let sum =
        output(command("sha256sum").arg(folder.join("flatpak").join(module["sources"][0]["path"].as_str().unwrap())));
    assert!(sum.starts_with(module["sources"][0]["sha256"].as_str().unwrap()), "{sum}");
    assert_eq!(manifest["build-options"]["prefix"], "/app/extensions/kds");
    enlarged_by_gimp(&debian_with_gimp(), folder, &expected, SCRIPT);
}

fn debian_with_gimp() -> DebianRoot {
    DebianRoot::with("trixie", &["gimp"]).unwrap()
}

/// A script, and [`SETTINGS`] as its arguments.
fn in_copy(debian: &DebianRoot, folder: &Path, script: &str) -> Command {
    let mut command = debian.command_in_copy(folder, "env");
    command.args(["HOME=/tmp/home", "LANG=C.UTF-8", "KDS_WORKER_IDLE=1", "sh", "-c", script, "sh"]).args(SETTINGS);
    command
}

/// Runs a script in a Debian that has GIMP 3, which calls `by-gimp.sh`, and compares what the plug-in makes there.
fn enlarged_by_gimp(debian: &DebianRoot, folder: &Path, expected: &RgbImage, script: &str) {
    const BY_GIMP: &str = r##"gimp-console -i -d -f --quit --batch-interpreter=plug-in-script-fu-eval -b '
            (let* ((image (car (gimp-file-load RUN-NONINTERACTIVE "/mnt/in.png"))))
              (plug-in-kds-upscale #:run-mode RUN-NONINTERACTIVE #:image image #:drawables (car (gimp-image-get-layers image))
                                   #:particles 2 #:steps 2 #:seed 5)
              (gimp-file-save RUN-NONINTERACTIVE image "/mnt/by-gimp.png"))'"##;
    fs::write(folder.join("by-gimp.sh"), BY_GIMP).unwrap();
    output(&mut in_copy(debian, folder, script));
    let by_gimp = pixels(&folder.join("by-gimp.png"));
    fs::remove_file(folder.join("by-gimp.png")).unwrap();
    assert_eq!(by_gimp.dimensions(), expected.dimensions());
    assert!(by_gimp.iter().zip(expected.iter()).all(|(a, b)| a.abs_diff(*b) <= 1), "other pixels by GIMP");
}

#[test]
fn the_archive_runs_on_a_debian_without_rust_or_python() {
    let folder = folder();
    let folder = folder.path();
    let expected = photograph(folder);
    dist::write(&tree(), &folder.join("kds.tar.gz")).unwrap();
    for release in ["trixie", "bookworm"] {
        let debian = DebianRoot::new(release).unwrap();
        assert!(!debian.path().join("usr/bin/python3").exists());
        let unpacked = folder.join(dist::name());
        output(debian.command(folder, "tar").args(["-xzf", "kds.tar.gz"]));
        if release == "bookworm" {
            its_script_installs_for_a_user(&debian, folder, &expected);
        }
        let mut restore = debian.command(folder, unpacked.strip_prefix(folder).unwrap().join("bin/kds"));
        output(restore.args(["restore", "in.png", "-o", "out.png"]).args(SETTINGS));
        assert!(pixels(&folder.join("out.png")) == expected, "other pixels on Debian {release}");
        fs::remove_file(folder.join("out.png")).unwrap();
        fs::remove_dir_all(unpacked).unwrap();
    }
}
