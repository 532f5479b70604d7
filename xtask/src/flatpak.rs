//! `cargo xtask dist --flatpak`: what flatpak-builder makes an extension of, for the GIMP 3 of Flatpak, which sees neither `/usr` nor
//! programs of the machine.
//!
//! GIMP's extension point mounts an extension at `/app/extensions/NAME` and merges the folders `plug-ins` of all of them
//! (`merge-dirs` in flathub/org.gimp.GIMP, org.gimp.GIMP.json).

use crate::dist;
use crate::install::{Tree, VERSION, gimp};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::Path;

/// Name of the extension, and of its manifest less the ending.
pub const ID: &str = "org.gimp.GIMP.Plugin.kds";

/// Build commands of the manifest, run in the unpacked archive; `FLATPAK_DEST` is the folder of the extension.
pub fn commands() -> [String; 4] {
    let (name, [_, (_, program)]) = (gimp::NAME, gimp::PROGRAMS);
    [
        "cp -r bin lib libexec share ${FLATPAK_DEST}/".to_owned(),
        format!("install -d ${{FLATPAK_DEST}}/plug-ins/{name}"),
        format!("ln -s ../../libexec/{program} ${{FLATPAK_DEST}}/plug-ins/{name}/{name}"),
        format!("install -Dm644 {ID}.metainfo.xml -t ${{FLATPAK_DEST}}/share/metainfo"),
    ]
}

/// Writes the archive, the manifest and the description into a folder.
pub fn write(tree: &Tree, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let archive = dist::name() + ".tar.gz";
    dist::write(tree, &folder.join(&archive))?;
    let mut sum = Sha256::new();
    let mut file = File::open(folder.join(&archive)).with_context(|| format!("cannot read {archive}"))?;
    std::io::copy(&mut file, &mut sum).with_context(|| format!("cannot read {archive}"))?;
    let sum: String = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let write = |name: String, text: String| {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    };
    write(format!("{ID}.metainfo.xml"), description())?;
    write(format!("{ID}.json"), manifest(&archive, &sum))
}

/// The libraries are as they were built: stripping them again would spoil libtorch's.
fn manifest(archive: &str, sum: &str) -> String {
    let name = gimp::NAME;
    let commands = commands().map(|command| format!("                \"{command}\"")).join(",\n");
    format!(
        r#"{{
    "id": "{ID}",
    "branch": "3",
    "runtime": "org.gimp.GIMP",
    "runtime-version": "stable",
    "sdk": "org.gnome.Sdk",
    "build-extension": true,
    "separate-locales": false,
    "appstream-compose": false,
    "build-options": {{
        "prefix": "/app/extensions/{name}",
        "strip": false,
        "no-debuginfo": true
    }},
    "modules": [
        {{
            "name": "{name}",
            "buildsystem": "simple",
            "build-commands": [
{commands}
            ],
            "sources": [
                {{
                    "type": "archive",
                    "path": "{archive}",
                    "sha256": "{sum}"
                }},
                {{
                    "type": "file",
                    "path": "{ID}.metainfo.xml"
                }}
            ]
        }}
    ]
}}
"#
    )
}

/// As software centres show it.
fn description() -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<component type="addon">
  <id>{ID}</id>
  <extends>org.gimp.GIMP</extends>
  <name>KDS</name>
  <summary>Photo restoration by diffusion, steered by Kernel Density Steering</summary>
  <metadata_license>MIT</metadata_license>
  <project_license>MIT OR Apache-2.0</project_license>
  <releases>
    <release version="{VERSION}"/>
  </releases>
</component>
"#
    )
}
