//! `cargo xtask dist --deb`: an installation below `/usr` as a Debian package, for all users and every GIMP that Debian has.

use crate::install::{Entry, Tree, VERSION, gimp};
use crate::partial::Partial;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders in which the GIMPs of Debian 12, 13 and later look for plug-ins, from `/usr`, by the first number of their version.
const PLUG_INS: [(u32, &str); 3] =
    [(2, "lib/gimp/2.0/plug-ins"), (3, "lib/gimp/3.0/plug-ins"), (3, "lib/@TRIPLET@/gimp/3.0/plug-ins")];

/// Name of the package's file.
pub fn name() -> Result<String> {
    Ok(format!("kds_{VERSION}_{}.deb", architecture()?))
}

/// Debian's name for this processor.
fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("there are no Debian packages of KDS for {other}"),
    }
}

/// Writes the tree as a package.
pub fn write(mut tree: Tree, output: &Path) -> Result<()> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    for (version, folder) in PLUG_INS {
        let folder = PathBuf::from(folder.replace("@TRIPLET@", &triplet)).join(gimp::NAME);
        let Some((_, program)) = gimp::PROGRAMS.iter().find(|(major, _)| *major == version) else { continue };
        tree.add(folder.join(gimp::NAME), Entry::Link(up(&folder).join("libexec").join(program)));
    }
    let gegl = Path::new("lib").join(&triplet).join("gegl-0.4");
    let node = crate::install::nodes::GEGL;
    tree.add(gegl.join(node), Entry::Link(up(&gegl).join(crate::install::nodes::GEGL_FOLDER).join(node)));

    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let partial = Partial::new(folder.join(".kds-deb.partial"))?;
    tree.write(&partial.path().join("usr"))?;
    let control = partial.path().join("DEBIAN");
    fs::create_dir(&control).with_context(|| format!("cannot create {}", control.display()))?;
    let file = control.join("control");
    fs::write(&file, description(tree.size()?)?).with_context(|| format!("cannot write {}", file.display()))?;
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "-Zzstd", "-z3", "--build"]).arg(partial.path()).arg(output);
    let packed = pack.output().context("cannot start dpkg-deb; a Debian or what is made of it has it")?;
    if !packed.status.success() {
        bail!("dpkg-deb failed ({}):\n{}", packed.status, String::from_utf8_lossy(&packed.stderr));
    }
    Ok(())
}

/// The way from a folder to `/usr`.
fn up(folder: &Path) -> PathBuf {
    folder.components().map(|_| "..").collect()
}

fn description(size: u64) -> Result<String> {
    let (architecture, kibibytes) = (architecture()?, size.div_ceil(1024));
    Ok(format!(
        "Package: kds\nVersion: {VERSION}\nArchitecture: {architecture}\nMaintainer: The KDS authors <kds@localhost>\n\
         Installed-Size: {kibibytes}\nDepends: libc6 (>= 2.34), libstdc++6, libgcc-s1\nSection: graphics\nPriority: optional\n\
         Description: photo restoration by diffusion\n The command kds, the library libkds with its headers, and plug-ins for GIMP \
         2.10,\n GIMP 3, GEGL and VapourSynth. libtorch is inside.\n"
    ))
}
