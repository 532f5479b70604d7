//! Models as a registry entry names them: the built-in ones, and small ones of the third-party architectures.

use kds_engine::backbone::Backbone;
use kds_engine::registry::Registry;
use tch::{Device, Kind};

use super::model::case;
use super::{Folder, Golden};

pub const LDM_SR: &str = "ldm_sr_leading";
pub const SD_INPAINT: &str = "sd_inpaint_1";
pub const DIFFBIR: &str = "diffbir";
pub const SEESR: &str = "seesr";

/// The folder goes with its files.
pub fn open(model: &str, device: Device) -> (Option<Folder>, Box<dyn Backbone>) {
    let mut registry = Registry::built_in().unwrap();
    let small = |folder: Folder, rest: &str| {
        let text = format!("[[model]]\nid = \"{model}\"\ntitle = \"Small\"\npath = \".\"\n{rest}\n");
        folder.write("registry.toml", text.as_bytes());
        folder
    };
    let folder = match model {
        LDM_SR => Some(small(case(model).folder(), "task = \"super-resolution\"\nscale = 4\nbackbone = \"ldm-sr\"")),
        SD_INPAINT => Some(small(case(model).folder(), "task = \"inpainting\"\nscale = 1\nbackbone = \"sd-inpaint\"")),
        DIFFBIR => {
            let models = Golden::read("diffbir.safetensors").cases::<super::diffbir::Model>().remove(0);
            let folder = models.folder(&models.cases[1]);
            Some(small(folder, "task = \"super-resolution\"\nscale = 4\nbackbone = \"diffbir\""))
        }
        SEESR => {
            let models = Golden::read("seesr.safetensors").cases::<super::seesr::Model>().remove(0);
            let folder = models.folder(&models.cases[0]);
            Some(small(folder, "task = \"super-resolution\"\nscale = 4\nbackbone = \"seesr\""))
        }
        _ => None,
    };
    if let Some(folder) = &folder {
        registry.add_file(&folder.path().join("registry.toml")).unwrap();
    }
    let backbone = registry.find(model).unwrap().load(device, Kind::Float).unwrap();
    (folder, backbone)
}
