//! The folder of an evaluation: what was computed stays there, so that an evaluation that was interrupted goes on.

use std::{
    fs,
    io::{BufWriter, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use image::{ImageFormat, RgbImage};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// File that says what an evaluation is made of.
const SETTINGS: &str = "settings.json";

/// The folder.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A restoration, and what it took.
#[derive(Debug, Clone)]
pub struct Run {
    /// The result.
    pub picture: RgbImage,
    /// Time and peak memory.
    pub cost: Cost,
}

/// Time and peak memory of a restoration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds.
    pub seconds: f64,
    /// Bytes that the process held at most, where the system says it.
    pub memory: Option<u64>,
}

impl Store {
    /// Makes the folder, or goes on with one of the same settings.
    ///
    /// # Errors
    /// A folder that holds other things, or an evaluation with other settings.
    pub fn open(folder: &Path, settings: &serde_json::Value) -> anyhow::Result<Self> {
        let store = Self { folder: folder.to_owned() };
        fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        let before: Option<serde_json::Value> = store.read(SETTINGS);
        match before {
            Some(before) if before == *settings => {}
            Some(before) => {
                let key = differing(&before, settings).unwrap_or_default();
                bail!(
                    "{} holds an evaluation with other settings ({key}: {} instead of {}); name another folder",
                    folder.display(),
                    before[&key],
                    settings[&key]
                );
            }
            None if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none()) => {
                store.write(SETTINGS, settings)?;
            }
            None => bail!("{} is not empty and holds no evaluation; name another folder", folder.display()),
        }
        Ok(store)
    }

    /// A folder that holds evaluations, for what compares them.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn beside(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// A file of the evaluation.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Content of a file of JSON; nothing where it is not there or not whole.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.path(name)).ok()?).ok()
    }

    /// Writes a file of JSON, all at once.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> anyhow::Result<()> {
        self.write_bytes(name, (serde_json::to_string_pretty(value)? + "\n").as_bytes())
    }

    /// Writes a file, all at once.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_bytes(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        self.write_by(name, |file| Ok(file.write_all(bytes)?))
    }

    /// Writes a picture, all at once.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_picture(&self, name: &str, picture: &RgbImage) -> anyhow::Result<()> {
        // PNG writers want to know where they are; a buffer does.
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png)?;
        self.write_bytes(name, bytes.get_ref())
    }

    fn write_by(&self, name: &str, write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let path = self.path(name);
        let whole = || -> anyhow::Result<()> {
            let folder = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder)?;
            let mut file = tempfile::Builder::new()
                .prefix(".kds-")
                .suffix(".partial")
                // As any new file; the system takes away what the user's umask says.
                .permissions(fs::Permissions::from_mode(0o666))
                .tempfile_in(folder)?;
            let mut buffer = BufWriter::new(&mut file);
            write(&mut buffer)?;
            buffer.flush()?;
            drop(buffer);
            file.persist(&path)?;
            Ok(())
        };
        whole().with_context(|| format!("{} cannot be written", path.display()))
    }

    /// The run of this name of a picture, from before or computed now.
    ///
    /// # Errors
    /// As `compute`, and files that cannot be written.
    pub fn run(&self, picture: &str, run: &str, compute: impl FnOnce() -> anyhow::Result<Run>) -> anyhow::Result<Run> {
        let name = format!("pictures/{picture}/{run}");
        let (image, cost) = (format!("{name}.png"), format!("{name}.json"));
        // The cost is written after the picture, so where it is both are.
        let before = || {
            let cost = self.read::<Cost>(&cost)?;
            let picture = image::open(self.path(&image)).ok()?.into_rgb8();
            Some(Run { picture, cost })
        };
        if let Some(run) = before() {
            return Ok(run);
        }
        let computed = compute()?;
        self.write_picture(&image, &computed.picture)?;
        self.write(&cost, &computed.cost)?;
        Ok(computed)
    }
}

/// The first key in which two objects differ.
fn differing(first: &serde_json::Value, second: &serde_json::Value) -> Option<String> {
    let keys = |value: &serde_json::Value| value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
    let mut all = keys(first)?.into_iter().chain(keys(second)?);
    all.find(|key| first[key] != second[key])
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_evaluation_goes_on_and_computes_nothing_twice() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let run = |value| Run {
            picture: RgbImage::from_pixel(3, 2, Rgb([value; 3])),
            cost: Cost { seconds: 1.5, memory: None },
        };
        let store = Store::open(&out, &json!({"model": "a"})).unwrap();
        let _ = store.run("kitten", "kds", || Ok(run(7))).unwrap();
        let store = Store::open(&out, &json!({"model": "a"})).unwrap();
        let again = store.run("kitten", "kds", || panic!("computed again")).unwrap();
        assert_eq!((again.picture, again.cost), (run(7).picture, run(7).cost));
        // A picture without its cost was interrupted, and so was one that is cut.
        fs::remove_file(out.join("pictures/kitten/kds.json")).unwrap();
        assert_eq!(store.run("kitten", "kds", || Ok(run(8))).unwrap().picture, run(8).picture);
        fs::write(out.join("pictures/kitten/kds.png"), "cut").unwrap();
        assert_eq!(store.run("kitten", "kds", || Ok(run(9))).unwrap().picture, run(9).picture);
        let left = fs::read_dir(out.join("pictures/kitten")).unwrap().count();
        assert_eq!(left, 2, "partial files are left");
    }

    #[test]
    fn other_settings_and_other_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        drop(Store::open(&out, &json!({"model": "a", "steps": 8})).unwrap());
        let message = Store::open(&out, &json!({"model": "a", "steps": 9})).unwrap_err().to_string();
        assert!(message.contains("steps: 8 instead of 9"), "{message}");
        let message = Store::open(folder.path(), &json!({})).unwrap_err().to_string();
        assert!(message.contains("holds no evaluation"), "{message}");
        assert!(!folder.path().join(SETTINGS).exists());
    }
}
