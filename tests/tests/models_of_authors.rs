//! DiffBIR and SeeSR as their authors publish them, at small sizes with random weights, through the command: `kds models add`,
//! `check`, `restore`.

#[path = "../../kds-engine/tests/reference/mod.rs"]
mod reference;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use reference::{Folder, Golden, diffbir, seesr};

/// A user with no configuration.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Status, output and messages of a command.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command: Command = kds_tests::command::kds().unwrap();
        command.env("XDG_CONFIG_HOME", self.path("configuration")).current_dir(self.0.path());
        command.args(arguments).stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    fn entry(&self, id: &str) -> toml::Table {
        let text = std::fs::read_to_string(self.path(&format!("configuration/kds/registry.d/{id}.toml"))).unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        table["model"][0].as_table().unwrap().clone()
    }

    /// Adds, checks and shows a folder, restores a photograph with it twice, and asserts that a broken folder is told.
    fn assert_adds_and_restores(&self, id: &str, folder: &Path, gone: &str) {
        let (status, output, errors) = self.run(&["models", "add", folder.to_str().unwrap(), "--id", id]);
        assert!(status == 0 && output.starts_with(&format!("{id}: added by ")), "{errors}");
        let (status, output, errors) = self.run(&["models", "check", id]);
        assert_eq!((status, &output[..]), (0, &format!("{id}: all files are as they should be\n")[..]), "{errors}");

        // 40 pixels high: of a height that no tile has.
        let photograph = image::RgbImage::from_fn(48, 40, |x, y| image::Rgb([(5 * x) as u8, (6 * y) as u8, 90]));
        photograph.save(self.path("in.png")).unwrap();
        let restore = |output: &str| {
            let fixed = ["restore", "in.png", "--model", id, "--seed", "3", "--particles", "2", "-o", output];
            let steps: &[&str] = if id.ends_with("turbo") { &[] } else { &["--steps", "2"] };
            let (status, _, errors) = self.run(&[&fixed[..], steps].concat());
            assert_eq!(status, 0, "{errors}");
            image::open(self.path(output)).unwrap().into_rgb8()
        };
        let first = restore("first.png");
        assert_eq!(first.dimensions(), (192, 160));
        assert_eq!(first, restore("second.png"));
        let deviates =
            |channel: usize| first.pixels().any(|pixel| pixel.0[channel] != first.get_pixel(0, 0).0[channel]);
        assert!((0..3).all(deviates), "a picture of one colour");

        std::fs::remove_file(folder.join(gone)).unwrap();
        let stem = gone.rsplit('/').next().unwrap().split('.').next().unwrap();
        let (status, output, errors) = self.run(&["models", "check", id]);
        assert!(status == 1 && output.contains(stem), "{output} {errors}");
        let (status, _, errors) = self.run(&["models", "add", folder.to_str().unwrap(), "--id", "again"]);
        assert!(status == 1 && errors.contains(stem) && errors.lines().count() == 1, "{errors}");
        assert!(!self.path("configuration/kds/registry.d/again.toml").exists());
    }
}

#[test]
fn diffbir_by_its_authors_files() {
    let scene = Scene::new();
    let model = Golden::read("diffbir.safetensors").cases::<diffbir::Model>().remove(0);
    let case = model.cases.iter().find(|case| case.name == "v2_ddim").unwrap();
    let folder = model.folder(case);
    scene.assert_adds_and_restores("diffbir", &folder.path(), "BSRNet.safetensors");
    let entry = scene.entry("diffbir");
    assert_eq!((entry["backbone"].as_str(), entry["scale"].as_integer()), (Some("diffbir"), Some(4)));
    assert_eq!(entry["options"]["version"].as_str(), Some("v2"));
}

#[test]
fn diffbir_in_the_folders_of_its_authors_checkout() {
    let scene = Scene::new();
    let model = Golden::read("diffbir.safetensors").cases::<diffbir::Model>().remove(0);
    let case = model.cases.iter().find(|case| case.name == "v2.1_ddim").unwrap();
    let folder = model.folder(case);
    let weights = folder.path().join("weights");
    std::fs::create_dir(&weights).unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()) {
        if entry.path().is_file() {
            std::fs::rename(entry.path(), weights.join(entry.file_name())).unwrap();
        }
    }
    scene.assert_adds_and_restores("diffbir", &folder.path(), "weights/realesrgan_s4_swinir_100k.safetensors");
    assert_eq!(scene.entry("diffbir")["options"]["version"].as_str(), Some("v2.1"));
}

fn seesr_folder(name: &str) -> Folder {
    let model = Golden::read("seesr.safetensors").cases::<seesr::Model>().remove(0);
    model.folder(model.cases.iter().find(|case| case.name == name).unwrap())
}

#[test]
fn seesr_in_one_folder() {
    let scene = Scene::new();
    scene.assert_adds_and_restores("seesr", &seesr_folder("lr_adain").path(), "DAPE.safetensors");
    assert!(scene.entry("seesr").get("options").is_none());
}

#[test]
fn seesr_with_sd_turbo_in_the_folders_of_its_authors_checkout() {
    let scene = Scene::new();
    let gone = "preset/models/sd-turbo/unet/config.json";
    scene.assert_adds_and_restores("seesr-turbo", &seesr_folder("turbo").path(), gone);
    assert_eq!(scene.entry("seesr-turbo")["options"]["turbo"].as_bool(), Some(true));
}
