//! `kds models add hf:ORG/REPO`: against a hub on this machine, with and without it, and when it fails half-way.

#[path = "common/hub_server.rs"]
mod hub_server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hub_server::{Fault, Hub, REPOSITORY, Request};
use kds_tests::pairs;

const WEIGHTS: &str = "unet/diffusion_pytorch_model.safetensors";
const NEEDED: [&str; 8] = [
    "model_index.json",
    "scheduler/scheduler_config.json",
    "unet/config.json",
    WEIGHTS,
    "predictor/config.json",
    "predictor/diffusion_pytorch_model.safetensors",
    "filler/config.json",
    "filler/diffusion_pytorch_model.safetensors",
];

/// A user with no configuration and an empty cache, and a hub with one model.
struct Scene {
    hub: Hub,
    files: BTreeMap<String, Vec<u8>>,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/residual_x1");
        let mut files: BTreeMap<String, Vec<u8>> =
            NEEDED.iter().map(|name| ((*name).to_owned(), std::fs::read(model.join(name)).unwrap())).collect();
        // What else lies in such repositories and is of no use here.
        for name in [
            "README.md",
            "golden.safetensors",
            "unet/diffusion_pytorch_model.bin",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "safety_checker/model.safetensors",
        ] {
            files.insert(name.to_owned(), b"not needed".to_vec());
        }
        Self { hub: Hub::new(files.clone()), files, folder: tempfile::tempdir().unwrap() }
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("home/hub")
    }

    fn registry(&self) -> PathBuf {
        self.folder.path().join("configuration/kds/registry.d")
    }

    /// `kds` with the hub, the cache and the configuration of this scene, and nothing of whoever runs the test.
    fn kds(&self, arguments: &[&str]) -> Command {
        let mut command = kds_tests::command::kds().unwrap();
        for (name, _) in std::env::vars() {
            if name.starts_with("HF_") || name.to_lowercase().ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        command.env("XDG_CONFIG_HOME", self.folder.path().join("configuration"));
        command.env("HF_HOME", self.folder.path().join("home")).env("HF_ENDPOINT", &self.hub.endpoint);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn add(&self) -> Command {
        self.kds(&["models", "add", &format!("hf:{REPOSITORY}")])
    }

    /// Asserts that the model was added, and is whole.
    fn assert_added(&self) {
        let (code, output, errors) = run(self.kds(&["models", "check", "my-model"]));
        assert_eq!((code, output.as_str()), (0, "my-model: all files are as they should be\n"), "{errors}");
    }

    /// Asserts that adding fails with one line that says this, and leaves no entry.
    fn assert_refused(&self, command: Command, expected: &str) {
        let (code, output, errors) = run(command);
        assert!(code == 1 && output.is_empty(), "{code} {output} {errors}");
        assert!(errors.lines().count() == 1 && errors.starts_with("kds: hf:photos/"), "{errors}");
        assert!(errors.contains(expected), "no '{expected}' in: {errors}");
        self.assert_no_entry();
    }

    fn assert_no_entry(&self) {
        let entries = std::fs::read_dir(self.registry()).map_or(0, Iterator::count);
        assert_eq!(entries, 0, "{}", self.registry().display());
    }

    /// What of the cache ends in this, without folders.
    fn cached(&self, ends: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
        let (mut found, mut folders) = (Vec::new(), vec![self.cache()]);
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path)
                } else if ends(&path) {
                    found.push(path)
                }
            }
        }
        found
    }

    /// The one part of a content that is not whole.
    fn part(&self) -> PathBuf {
        let [part] = &self.cached(|path| path.extension().is_some_and(|end| end == "part"))[..] else {
            panic!("not one part")
        };
        part.clone()
    }
}

fn run(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// From where on the weights were asked for, leaving out the questions for their size.
fn starts(requests: &[Request]) -> Vec<usize> {
    let asked = requests.iter().filter(|request| request.path == format!("/stored/{WEIGHTS}"));
    asked.filter_map(|request| request.range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()).collect()
}

#[test]
fn a_model_is_downloaded_added_and_restores() {
    let scene = Scene::new();
    let (code, output, errors) = run(scene.add());
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(output.starts_with("my-model: added by "), "{output}");
    assert!(run(scene.kds(&["models"])).1.contains("my-model"));
    scene.assert_added();

    let commit = "/resolve/c0ffee/";
    let requests = scene.hub.requests();
    let asked: BTreeSet<&str> = requests.iter().filter_map(|r| Some(r.path.split_once(commit)?.1)).collect();
    assert_eq!(asked, BTreeSet::from(NEEDED), "only what the backbone reads");
    let snapshot = scene.cache().join("models--photos--My-Model/snapshots/c0ffee");
    for name in NEEDED {
        assert_eq!(std::fs::read(snapshot.join(name)).unwrap(), scene.files[name], "{name}");
    }

    let picture = scene.folder.path().join("in.png");
    let restored = scene.folder.path().join("out.png");
    pairs::small_picture().unwrap().save(&picture).unwrap();
    let words = ["restore", picture.to_str().unwrap(), "-o", restored.to_str().unwrap(), "--model", "my-model"];
    let (code, _, errors) = run(scene.kds(&[&words[..], &["--particles", "1", "--steps", "1"]].concat()));
    assert!(code == 0 && restored.exists(), "{errors}");

    // The entry has the sums of all that was downloaded, and what has changed since is not loaded.
    let entry: toml::Table =
        toml::from_str(&std::fs::read_to_string(scene.registry().join("my-model.toml")).unwrap()).unwrap();
    let sums = entry["model"][0]["sha256"].as_table().unwrap();
    assert_eq!(sums.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(NEEDED));
    let mut damaged = scene.files[WEIGHTS].clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(snapshot.join(WEIGHTS), damaged).unwrap();
    let again = scene.folder.path().join("again.png");
    let words = ["restore", picture.to_str().unwrap(), "-o", again.to_str().unwrap(), "--model", "my-model"];
    let (code, _, errors) = run(scene.kds(&words));
    let says = errors.contains(WEIGHTS) && errors.contains("the registry says") && errors.contains("fetch it again");
    assert!(code == 1 && says && !again.exists(), "{code} {errors}");

    // A name that is taken is said before anything is downloaded.
    scene.hub.requests();
    let (code, _, errors) = run(scene.add());
    assert!(code == 1 && errors.contains("already") && scene.hub.requests().is_empty(), "{errors}");
}

#[test]
fn the_mirror_of_a_withdrawn_model_is_named() {
    let scene = Scene::new();
    let withdrawn = "hf:stabilityai/stable-diffusion-2-inpainting";
    let (code, output, errors) = run(scene.kds(&["models", "add", withdrawn]));
    assert!(code == 1 && output.is_empty() && errors.lines().count() == 1, "{code} {output} {errors}");
    let words = [withdrawn, "November 2025", "kds models add hf:sd2-community/stable-diffusion-2-inpainting"];
    assert!(words.iter().all(|word| errors.contains(word)), "{errors}");
    // Any other name may just be wrong.
    let (code, _, errors) = run(scene.kds(&["models", "add", "hf:stabilityai/sd-turbo"]));
    assert!(code == 1 && errors.contains("there is no such model") && !errors.contains("sd2-community"), "{errors}");
    scene.assert_no_entry();
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let scene = Scene::new();
    scene.hub.set_fault(Fault::Break(WEIGHTS));
    scene.assert_refused(scene.add(), "run the command again");
    let half = std::fs::metadata(scene.part()).unwrap().len() as usize;
    assert_eq!(half, scene.files[WEIGHTS].len() / 2);
    assert_eq!(starts(&scene.hub.requests()), [0]);

    scene.hub.set_fault(Fault::None);
    assert_eq!(run(scene.add()).0, 0);
    assert_eq!(starts(&scene.hub.requests()), [half]);
    scene.assert_added();
}

#[test]
fn an_interrupt_leaves_nothing_half_done_under_its_name() {
    let scene = Scene::new();
    scene.hub.set_fault(Fault::Stall(WEIGHTS));
    let mut child = scene.add().spawn().unwrap();
    scene.hub.wait_for_stall();
    // What was sent has yet to reach the disk.
    let half = scene.files[WEIGHTS].len() / 2;
    let written = || scene.cached(|path| path.extension().is_some_and(|end| end == "part")).pop();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while written().is_none_or(|part| std::fs::metadata(part).unwrap().len() < half as u64) {
        assert!(std::time::Instant::now() < deadline, "half of the weights never came");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // SAFETY: sends a signal to a child that was not waited for yet, so the number is its own.
    assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) }, 0);
    assert!(!child.wait().unwrap().success());
    scene.assert_no_entry();
    assert!(scene.cached(|path| path.ends_with(WEIGHTS)).is_empty());
    scene.hub.requests();

    scene.hub.set_fault(Fault::None);
    assert_eq!(run(scene.add()).0, 0);
    assert_eq!(starts(&scene.hub.requests()), [half]);
    scene.assert_added();
}

#[test]
fn a_download_that_was_stopped_after_its_last_byte_is_not_repeated() {
    let scene = Scene::new();
    scene.hub.set_fault(Fault::Break(WEIGHTS));
    assert_eq!(run(scene.add()).0, 1);
    std::fs::write(scene.part(), &scene.files[WEIGHTS]).unwrap();
    scene.hub.set_fault(Fault::None);
    scene.hub.requests();
    assert_eq!(run(scene.add()).0, 0);
    assert_eq!(starts(&scene.hub.requests()), [0usize; 0]);
    scene.assert_added();
}

#[test]
fn damaged_content_is_refused_and_fetched_anew() {
    let scene = Scene::new();
    scene.hub.set_fault(Fault::Damage(WEIGHTS));
    scene.assert_refused(scene.add(), "came damaged");
    assert!(scene.cached(|path| path.ends_with(WEIGHTS)).is_empty());

    // The beginning of something else: all bytes come, the sum does not fit.
    scene.hub.set_fault(Fault::Break(WEIGHTS));
    assert_eq!(run(scene.add()).0, 1);
    let length = std::fs::metadata(scene.part()).unwrap().len() as usize;
    std::fs::write(scene.part(), vec![0; length]).unwrap();
    scene.hub.set_fault(Fault::None);
    scene.assert_refused(scene.add(), "SHA-256");
    assert_eq!(run(scene.add()).0, 0);
    scene.assert_added();
}

#[test]
fn a_damaged_small_file_is_refused_too() {
    let scene = Scene::new();
    scene.hub.set_fault(Fault::Damage("unet/config.json"));
    scene.assert_refused(scene.add(), "unet/config.json came damaged: its sum in git");
    assert!(scene.cached(|path| path.ends_with("unet/config.json")).is_empty());
}

#[test]
fn a_file_for_which_there_is_no_room_is_not_begun() {
    let scene = Scene::new();
    scene.hub.set_fault(Fault::Huge("unet/config.json"));
    scene.assert_refused(scene.add(), "free disk space");
    assert_eq!(starts(&scene.hub.requests()), [0usize; 0]);
    scene.hub.set_fault(Fault::None);
    assert_eq!(run(scene.add()).0, 0);
}

#[test]
fn a_token_is_not_sent_in_clear_to_other_machines() {
    let scene = Scene::new();
    let mut command = scene.add();
    // Of a network for documentation, so that nobody could hear it.
    command.env("HF_TOKEN", "secret").env("HF_ENDPOINT", "http://192.0.2.1:9");
    let (code, _, errors) = run(command);
    assert!(code == 1 && errors.contains("https://") && !errors.contains("secret"), "{errors}");
}

#[test]
fn a_new_commit_downloads_only_what_changed() {
    let scene = Scene::new();
    assert_eq!(run(scene.add()).0, 0);
    scene.hub.requests();
    let index = String::from_utf8(scene.files["model_index.json"].clone()).unwrap();
    scene.hub.commit("decade", "model_index.json", format!("{index}\n").as_bytes());
    let address = format!("hf:{REPOSITORY}@v2");
    let (code, output, errors) = run(scene.kds(&["models", "add", &address, "--id", "second"]));
    assert!(code == 0 && output.starts_with("second: added"), "{errors}");
    let requests = scene.hub.requests();
    assert!(requests[0].path.ends_with("/revision/v2"), "{requests:?}");
    assert_eq!(starts(&requests), [0usize; 0]);
    assert_eq!(run(scene.kds(&["models", "check", "second", "my-model"])).0, 0);
    let entry = std::fs::read_to_string(scene.registry().join("second.toml")).unwrap();
    assert!(entry.contains("/snapshots/decade"), "{entry}");
}

#[test]
fn the_token_is_sent_where_there_is_one() {
    let scene = Scene::new();
    let tokens = || scene.hub.requests().into_iter().map(|request| request.token).collect::<BTreeSet<_>>();
    let with_id = |id| scene.kds(&["models", "add", &format!("hf:{REPOSITORY}"), "--id", id]);
    assert_eq!(run(with_id("first")).0, 0);
    assert_eq!(tokens(), BTreeSet::from([None]));
    std::fs::write(scene.folder.path().join("home/token"), "of-the-file\n").unwrap();
    assert_eq!(run(with_id("second")).0, 0);
    assert!(tokens().contains(&Some("Bearer of-the-file".into())));
    let mut command = with_id("third");
    command.env("HF_TOKEN", "of-the-environment");
    assert_eq!(run(command).0, 0);
    let sent = tokens();
    assert!(sent.contains(&Some("Bearer of-the-environment".into())) && !sent.contains(&None), "{sent:?}");
}

#[test]
fn offline_means_the_cache_and_nothing_else() {
    let scene = Scene::new();
    let offline = || {
        let mut command = scene.add();
        command.env("HF_HUB_OFFLINE", "1");
        command
    };
    scene.assert_refused(offline(), "it is not in the cache");
    assert!(scene.hub.requests().is_empty());

    assert_eq!(run(scene.add()).0, 0);
    std::fs::remove_file(scene.registry().join("my-model.toml")).unwrap();
    scene.hub.requests();
    let (code, output, errors) = run(offline());
    assert!(code == 0 && output.starts_with("my-model: added by ") && errors.is_empty(), "{errors}");
    scene.assert_added();
    assert!(scene.hub.requests().is_empty());

    std::fs::remove_file(scene.registry().join("my-model.toml")).unwrap();
    for weights in scene.cached(|path| path.ends_with(WEIGHTS)) {
        std::fs::remove_file(weights).unwrap();
    }
    scene.assert_refused(offline(), &format!("{WEIGHTS}: there is no such file; HF_HUB_OFFLINE"));
}

#[test]
fn refusals_of_the_hub_are_one_line_that_says_what_to_do() {
    let scene = Scene::new();
    for (status, expected) in [(404, "check the name"), (401, "set HF_TOKEN"), (403, "accept"), (503, "later")] {
        scene.hub.set_fault(Fault::Status(status));
        scene.assert_refused(scene.add(), expected);
    }
    scene.hub.set_fault(Fault::Status(401));
    let mut command = scene.add();
    command.env("HF_TOKEN", "wrong");
    scene.assert_refused(command, "the token is not good");

    scene.hub.set_fault(Fault::None);
    scene.assert_refused(scene.kds(&["models", "add", "hf:photos/nothing"]), "no such model");
    // Nobody listens on the port of a listener that is gone.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = scene.add();
    command.env("HF_ENDPOINT", format!("http://127.0.0.1:{port}"));
    scene.assert_refused(command, "HF_HUB_OFFLINE=1");
    let mut command = scene.add();
    command.env("HF_HOME", "/dev/null");
    scene.assert_refused(command, "HF_HOME");
}

#[test]
fn what_no_backbone_reads_is_not_downloaded() {
    let scene = Scene::new();
    scene.hub.commit("decade", "model_index.json", br#"{"_class_name": "FluxPipeline"}"#);
    scene.assert_refused(scene.add(), "no backbone for 'FluxPipeline'");
    assert_eq!(starts(&scene.hub.requests()), [0usize; 0]);
}
