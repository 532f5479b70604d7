//! Writes the screenshots of docs/gimp.md, `cargo xtask screenshots`: both GIMPs are started on a screen in memory, the
//! dialog is opened from the menu and run by keyboard.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kds_tests::gimp::window::Window;
use kds_tests::gimp::{Session, Version};
use kds_tests::pairs::Pair;

/// A screen that fits the page.
const SCREEN: (u32, u32) = (1100, 700);

fn main() -> Result<()> {
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images"),
    };
    std::fs::create_dir_all(&folder)?;
    let only = std::env::args().nth(2);
    for (name, version) in [("gimp2", Version::Two), ("gimp3", Version::Three)] {
        if only.as_deref().is_none_or(|only| only == name) {
            shoot(version, &|what| folder.join(format!("{name}-{what}.png"))).with_context(|| name.to_owned())?;
        }
    }
    Ok(())
}

fn shoot(version: Version, file: &dyn Fn(&str) -> PathBuf) -> Result<()> {
    let session = Session::new(version, "screenshots")?;
    let spoilt = Pair::same_size_examples()?;
    let kitten = spoilt.into_iter().find(|pair| pair.name == "kitten").context("there is no kitten")?;
    session.write("kitten.png", kitten.low)?;
    let window = Window::open(session, "kitten.png", SCREEN)?;
    window.press(&["ctrl+shift+j", "alt+r", "h"])?;
    window.shoot(None, &file("menu"))?;
    window.press(&["o"])?;
    let dialog = window.wait_for("Restore .KDS")?;
    window.place(&dialog, 250, 20)?;
    window.focus(&dialog)?;
    // What the machine takes is measured, and the preview restored, meanwhile.
    std::thread::sleep(std::time::Duration::from_secs(25));
    window.shoot(Some(&dialog), &file("dialog"))?;
    window.press(&["alt+a"])?;
    window.shoot(Some(&dialog), &file("advanced"))?;
    // Enough steps for a picture of them.
    window.press(&["alt+p", "ctrl+a", "6", "0", "Tab", "alt+r"])?;
    window.wait_until("the restoration to begin", |window| window.plug_in_runs())?;
    std::thread::sleep(std::time::Duration::from_millis(3500));
    window.shoot(None, &file("progress"))?;
    window.wait_until("the restoration to end", |window| Ok(!window.plug_in_runs()?))?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    window.shoot(None, &file("result"))
}
