//! All files that belong to one picture: looked at together, written together, and put in place together.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context, anyhow, bail};

use crate::{
    mark::Role,
    partial::Partial,
    place::{folder_of, resolve},
    read,
    replace::{Snapshot, replace},
    shown,
    standing::{Standing, standing},
    task::Task,
};

/// Policy for existing files.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// A picture whose outputs are all there is skipped.
    pub skip: bool,
    /// Whatever is there is replaced.
    pub overwrite: bool,
    /// Start of the run: a file written later belongs to a parallel run.
    pub started: SystemTime,
}

/// Outputs still to be made for a picture.
#[derive(Debug)]
pub enum Decision {
    /// Make these files.
    Restore(Vec<Place>),
    /// Nothing, and why.
    Skip(String),
}

/// A file to be made.
#[derive(Debug)]
pub struct Place {
    role: Role,
    /// Path as the user gave it.
    name: PathBuf,
    /// Path with links resolved.
    path: PathBuf,
    before: Option<Snapshot>,
    standing: Standing,
}

impl Place {
    fn of(role: Role, name: &Path) -> anyhow::Result<Self> {
        let path = resolve(name);
        let look = || -> io::Result<_> { Ok((Snapshot::of(&path)?, standing(&path, role)?)) };
        if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            bail!("{}: is there and is no regular file; name another", shown::path(name));
        }
        let (before, standing) = look().with_context(|| format!("{}: cannot be read", shown::path(name)))?;
        Ok(Self { role, name: name.to_owned(), path, before, standing })
    }

    fn written_since(&self, start: SystemTime) -> bool {
        let start = start.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let start = (start.as_secs() as i64, i64::from(start.subsec_nanos()));
        self.before.is_some_and(|before| before.modified() >= start)
    }
}

/// Looks at all outputs of a picture.
///
/// # Errors
/// When a file is there that may not be replaced, or that cannot be read.
pub fn decide(task: &Task, policy: Policy) -> anyhow::Result<Decision> {
    let places = task.outputs().map(|(role, name)| Place::of(role, name)).collect::<anyhow::Result<Vec<_>>>()?;
    let output = shown::path(&task.output);
    let whole = !places.is_empty() && places.iter().all(|place| place.standing == Standing::Earlier);
    if policy.overwrite {
        let elsewhere = whole && places.iter().all(|place| place.written_since(policy.started));
        return Ok(match policy.skip && elsewhere {
            true => Decision::Skip(format!("{output}: was restored by another run meanwhile, skipped")),
            false => Decision::Restore(places),
        });
    }
    if whole && policy.skip {
        return Ok(Decision::Skip(format!("{output}: exists, skipped; give --overwrite to restore it again")));
    }
    let theirs = |place: &&Place| matches!(place.standing, Standing::Foreign | Standing::Cut);
    let Some(foreign) = places.iter().find(theirs) else {
        return Ok(Decision::Restore(places));
    };
    let name = shown::path(&foreign.name);
    if foreign.standing == Standing::Cut {
        bail!("{name}: exists, and is cut short; remove it, or give --overwrite to replace it");
    }
    // A restored picture that was edited since stands for itself; its maps cannot be made any more.
    let rest = places.iter().all(|place| place.role == Role::Restored || place.standing == Standing::Earlier);
    if policy.skip && foreign.role == Role::Restored && rest {
        return match read::read(&foreign.path) {
            Ok(_) => Ok(Decision::Skip(format!(
                "{name}: exists, and not as kds wrote it; skipped; give --overwrite to replace it"
            ))),
            Err(error) => {
                let reason = error.root_cause();
                bail!("{name}: exists, and {reason}; remove it, or give --overwrite to replace it")
            }
        };
    }
    let role = foreign.role.name();
    bail!("{name}: exists, and is no {role} as kds wrote it; name another place, or give --overwrite to replace it")
}

/// The files of a picture while they are written.
pub struct Claimed {
    files: Vec<(Place, Partial)>,
}

/// Result of opening an output.
pub enum Claim {
    /// Nobody else writes these files.
    Ours(Claimed),
    /// Another process writes one of them.
    Busy,
    /// There is nothing to do, and why.
    Skip(String),
}

/// Begins to write all outputs of a picture, unless [`decide`] says that there is nothing to do.
///
/// # Errors
/// When a file is there that may not be replaced, or a folder cannot be made or written.
pub fn claim(task: &Task, policy: Policy) -> anyhow::Result<Claim> {
    let places = match decide(task, policy)? {
        Decision::Restore(places) => places,
        Decision::Skip(reason) => return Ok(Claim::Skip(reason)),
    };
    let mut partials = Vec::new();
    for place in &places {
        let folder = folder_of(&place.path);
        let claimed = fs::create_dir_all(folder).and_then(|()| Partial::claim(&place.path));
        match claimed.map_err(|error| unwritable(&place.name, &error))? {
            Some(partial) => partials.push(partial),
            None => return Ok(Claim::Busy),
        }
    }
    // Another run may have finished just before: now that nobody can, it is looked at once more.
    Ok(match decide(task, policy)? {
        Decision::Restore(places) => Claim::Ours(Claimed { files: places.into_iter().zip(partials).collect() }),
        Decision::Skip(reason) => Claim::Skip(reason),
    })
}

impl Claimed {
    /// Writes one of the files, if it is wanted.
    ///
    /// # Errors
    /// When it cannot be written; the message names it.
    pub fn write<T>(
        &mut self,
        role: Role,
        write: impl FnOnce(&Path, &mut File) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        let Some((place, partial)) = self.files.iter_mut().find(|(place, _)| place.role == role) else {
            return Ok(None);
        };
        let written = write(&place.name, partial.file());
        // Some file systems say only now that the disk is full.
        let synced = written.and_then(|value| partial.file().sync_all().map(|()| value).map_err(Into::into));
        synced.map(Some).map_err(|error| {
            // Encoders wrap the system's reason in words of their own.
            let reason = error.root_cause();
            let name = shown::path(&place.name);
            anyhow!("{name}: cannot be written: {reason}; check the free space and the permissions")
        })
    }

    /// Puts all files in their places, the restored picture last. When one cannot, those that are new are removed again.
    ///
    /// # Errors
    /// When a file appeared or changed meanwhile, or a place cannot be written.
    pub fn publish(self) -> anyhow::Result<()> {
        let Self { mut files } = self;
        files.sort_by_key(|(place, _)| place.role == Role::Restored);
        for (place, _) in &files {
            if Snapshot::of(&place.path).is_ok_and(|now| now != place.before) {
                bail!(appeared(&place.name));
            }
        }
        let mut new: Vec<PathBuf> = Vec::new();
        for (place, partial) in files {
            if let Err(error) = replace(partial, &place.path, place.before) {
                for path in new {
                    // What cannot be removed is made again by the next run.
                    let _ = fs::remove_file(path);
                }
                return Err(match error.kind() {
                    io::ErrorKind::AlreadyExists => appeared(&place.name),
                    _ => unwritable(&place.name, &error),
                });
            }
            if place.before.is_none() {
                new.push(place.path);
            }
        }
        Ok(())
    }
}

fn appeared(name: &Path) -> anyhow::Error {
    let name = shown::path(name);
    anyhow!("{name}: appeared or changed while the picture was restored, and is left as it is; name another place")
}

fn unwritable(name: &Path, error: &io::Error) -> anyhow::Error {
    let name = shown::path(name);
    anyhow!("{name}: cannot be written: {error}; check the free space and the permissions")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{file_kind::FileKind, picture::Picture, save, testing};

    struct Scene {
        folder: tempfile::TempDir,
        task: Task,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            let task = Task {
                input: path("in.png"),
                output: path("out.png"),
                kind: FileKind::Png,
                confidence: Some(path("map.png")),
                compare: None,
            };
            Self { folder, task }
        }

        fn decide(&self, skip: bool, overwrite: bool) -> anyhow::Result<Decision> {
            decide(&self.task, Policy { skip, overwrite, started: SystemTime::now() })
        }

        fn claim(&self) -> Claimed {
            let policy = Policy { skip: true, overwrite: false, started: SystemTime::now() };
            let Claim::Ours(claimed) = claim(&self.task, policy).unwrap() else { panic!("not ours") };
            claimed
        }

        fn write(claimed: &mut Claimed, role: Role) {
            let picture = Picture::plain(testing::pictures(8, 8).swap_remove(2));
            claimed.write(role, |_, file| save::write(&picture, FileKind::Png, role, 92, file)).unwrap();
        }

        fn make(&self) {
            let mut claimed = self.claim();
            Self::write(&mut claimed, Role::Restored);
            Self::write(&mut claimed, Role::Confidence);
            claimed.publish().unwrap();
        }

        fn files(&self) -> Vec<String> {
            let entries = fs::read_dir(self.folder.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_picture_is_done_when_all_its_files_are_there_and_whole() {
        let scene = Scene::new();
        scene.make();
        assert_eq!(scene.files(), ["map.png", "out.png"]);
        assert!(matches!(scene.decide(true, false).unwrap(), Decision::Skip(_)));
        // A single picture is restored again, a batch when asked to.
        assert!(matches!(scene.decide(false, false).unwrap(), Decision::Restore(_)));
        assert!(matches!(scene.decide(true, true).unwrap(), Decision::Restore(_)));
        for name in ["map.png", "out.png"] {
            for broken in [None, Some(0), Some(150)] {
                let path = scene.folder.path().join(name);
                let whole = fs::read(&path).unwrap();
                match broken {
                    Some(length) => fs::write(&path, &whole[..length]).unwrap(),
                    None => fs::remove_file(&path).unwrap(),
                }
                let decision = scene.decide(true, false).unwrap();
                assert!(matches!(decision, Decision::Restore(_)), "{name} {broken:?}: {decision:?}");
                scene.make();
            }
        }
    }

    #[test]
    fn what_is_not_ours_is_never_replaced_unasked() {
        for name in ["map.png", "out.png"] {
            let scene = Scene::new();
            scene.make();
            let path = scene.folder.path().join(name);
            image::open(&path).unwrap().save(&path).unwrap();
            for skip in [true, false] {
                match scene.decide(skip, false) {
                    // Edited, and its map is there.
                    Ok(decision) => assert!(name == "out.png" && skip && matches!(decision, Decision::Skip(_))),
                    Err(error) => assert!(error.to_string().contains("--overwrite"), "{error}"),
                }
            }
            assert!(matches!(scene.decide(true, true).unwrap(), Decision::Restore(_)));
        }
        let scene = Scene::new();
        fs::write(scene.folder.path().join("out.png"), "no picture").unwrap();
        assert!(scene.decide(true, false).unwrap_err().to_string().contains("--overwrite"));
        // One output is not another: the map is wanted where a restored picture lies.
        let mut scene = Scene::new();
        scene.make();
        scene.task.confidence = Some(scene.folder.path().join("out.png"));
        scene.task.output = scene.folder.path().join("other.png");
        assert!(scene.decide(false, false).unwrap_err().to_string().contains("no confidence map"));
    }

    #[test]
    fn nothing_appears_before_everything_is_written() {
        let scene = Scene::new();
        let mut claimed = scene.claim();
        Scene::write(&mut claimed, Role::Restored);
        let error = claimed.write(Role::Confidence, |_, _| -> anyhow::Result<()> { bail!("No space left on device") });
        assert!(error.unwrap_err().to_string().contains("map.png: cannot be written: No space left"));
        drop(claimed);
        assert_eq!(scene.files(), [""; 0]);
        assert!(matches!(scene.decide(true, false).unwrap(), Decision::Restore(_)));
    }

    #[test]
    fn a_file_that_appears_meanwhile_stays_and_nothing_else_appears() {
        let scene = Scene::new();
        let mut claimed = scene.claim();
        Scene::write(&mut claimed, Role::Restored);
        Scene::write(&mut claimed, Role::Confidence);
        fs::write(scene.folder.path().join("out.png"), "of somebody else").unwrap();
        assert!(claimed.publish().unwrap_err().to_string().contains("appeared"));
        assert_eq!(scene.files(), ["out.png"]);
        assert_eq!(fs::read(scene.folder.path().join("out.png")).unwrap(), b"of somebody else");
    }

    #[test]
    fn two_runs_do_not_write_the_same_picture() {
        let scene = Scene::new();
        let first = scene.claim();
        let started = SystemTime::now() - Duration::from_secs(60);
        for overwrite in [false, true] {
            let policy = Policy { skip: true, overwrite, started };
            assert!(matches!(claim(&scene.task, policy).unwrap(), Claim::Busy));
        }
        drop(first);
        scene.make();
        let policy = Policy { skip: true, overwrite: true, started };
        assert!(matches!(claim(&scene.task, policy).unwrap(), Claim::Skip(why) if why.contains("another run")));
    }
}
