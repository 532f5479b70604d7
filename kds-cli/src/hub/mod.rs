//! Models of the hub, downloaded into the cache that they share with other programs.
//!
//! The crate `hf-hub` knows addresses and the layout of the cache, and goes on with what was left of a download. What it
//! does not know is done here: offline mode, the token of the environment, and whether a file is what it should be.

mod address;
mod bars;
mod endpoint;
mod failure;
mod verify;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs, io,
    path::{Path, PathBuf},
};

use anyhow::{anyhow, bail};
use hf_hub::{
    Cache, CacheRepo, Repo, RepoType,
    api::sync::{Api, ApiBuilder, ApiError, ApiRepo, Metadata},
};

pub use address::{HubAddress, NoAddress};
use bars::Bars;

/// Files that tell which model a repository holds, downloaded before it is known which others are needed.
const FIRST: &[&str] = &["model_index.json", "scheduler/scheduler_config.json"];

/// The files that a backbone reads of the model in a folder: of those that are there, or of these names.
pub type Needs<'a> = &'a dyn Fn(&Path, Option<&BTreeSet<String>>) -> anyhow::Result<Vec<String>>;

/// A model in the cache.
pub struct Fetched {
    /// The folder with its files.
    pub folder: PathBuf,
    /// SHA-256 of those that its backbone reads, by their names in the folder. They are what the hub says they are.
    pub sums: BTreeMap<String, String>,
}

/// The files of a model that its backbone `needs`, downloaded where they are not in the cache.
///
/// # Errors
/// When the hub does not give them, or the cache does not hold them in offline mode.
pub fn fetch(address: &HubAddress, needs: Needs) -> anyhow::Result<Fetched> {
    // The crate has no other way to find the cache, and does not say so.
    if env::var_os("HF_HOME").is_none() && env::home_dir().is_none() {
        bail!("there is no home folder for downloads; let HF_HOME name a folder for them");
    }
    let cache = Cache::from_env();
    if is_offline() { cached(&cache, address, needs) } else { Download::new(&cache, address)?.run(needs) }
}

fn is_offline() -> bool {
    let yes = |text: String| ["1", "on", "yes", "true"].contains(&text.to_lowercase().as_str());
    env::var("HF_HUB_OFFLINE").is_ok_and(yes)
}

fn repository(address: &HubAddress, revision: &str) -> Repo {
    Repo::with_revision(address.repository.clone(), RepoType::Model, revision.to_owned())
}

/// The folder in the cache, when it holds all that is needed.
fn cached(cache: &Cache, address: &HubAddress, needs: Needs) -> anyhow::Result<Fetched> {
    const FORBIDDEN: &str = "HF_HUB_OFFLINE forbids to download it; unset it and run the command again";
    let repository = cache.repo(repository(address, &address.revision));
    // A commit may have been downloaded by another program, which notes only what branches and tags point at.
    let commit = || Some(repository.pointer_path(&address.revision)).filter(|path| path.is_dir());
    let folder = repository
        .get("")
        .or_else(commit)
        .ok_or_else(|| anyhow!("{address}: it is not in the cache {}, and {FORBIDDEN}", cache.path().display()))?;
    let names = needs(&folder, None).map_err(|error| anyhow!("{address}: {error:#}; {FORBIDDEN}"))?;
    let mut sums = BTreeMap::new();
    for name in names {
        let unreadable = |error: io::Error| anyhow!("{address}: {name} in the cache cannot be read: {error}");
        let path = folder.join(&name);
        // The cache keeps a content under its tag.
        let content = path.canonicalize().map_err(unreadable)?;
        let tag = content.file_name().unwrap_or_default().to_string_lossy();
        if content != path
            && let Some(difference) = content
                .metadata()
                .and_then(|data| verify::difference(&content, data.len(), &tag))
                .map_err(unreadable)?
        {
            bail!(
                "{address}: {name} in the cache is damaged: {difference}; unset HF_HUB_OFFLINE and run the command again"
            );
        }
        sums.insert(name.clone(), verify::sha256(&path).map_err(unreadable)?);
    }
    Ok(Fetched { folder, sums })
}

/// A model on its way into the cache.
struct Download<'a> {
    address: &'a HubAddress,
    with_token: bool,
    /// By the revision that was asked for.
    named: CacheRepo,
    /// By the commit that it is now: all files come from one, also when somebody changes the model meanwhile.
    remote: ApiRepo,
    api: Api,
    commit: String,
    /// Files of the commit.
    listed: BTreeSet<String>,
}

impl<'a> Download<'a> {
    /// Asks the hub what there is.
    fn new(cache: &Cache, address: &'a HubAddress) -> anyhow::Result<Self> {
        let token = env::var("HF_TOKEN").ok().map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        let token = token.or_else(|| cache.token());
        let with_token = token.is_some();
        if let Some(endpoint) = env::var("HF_ENDPOINT").ok().filter(|named| with_token && endpoint::is_open(named)) {
            bail!(
                "{address}: HF_ENDPOINT is {endpoint}, where everybody on the way could read the token; let it begin with \
                 https://, or put the token away (HF_TOKEN, and the file token in HF_HOME)"
            );
        }
        let failed = |error: ApiError| match address.mirror().filter(|_| failure::is_absent(&error)) {
            Some(mirror) => anyhow!(
                "{address}: Stability AI withdrew Stable Diffusion 2 from the hub in November 2025; its community keeps a copy: \
                 kds models add {mirror}"
            ),
            None => anyhow!("{address}: {}", failure::explain(&error, with_token)),
        };

        let mut builder = ApiBuilder::from_env().with_token(token).with_user_agent("kds", env!("CARGO_PKG_VERSION"));
        if let Ok(endpoint) = env::var("HF_ENDPOINT") {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        let api = builder.build().map_err(failed)?;
        let asked = repository(address, &address.revision);
        let info = api.repo(asked.clone()).info().map_err(failed)?;
        if !address::is_name(&info.sha) {
            bail!("{address}: the hub names no commit; check HF_ENDPOINT");
        }
        Ok(Self {
            address,
            with_token,
            named: cache.repo(asked),
            remote: api.repo(repository(address, &info.sha)),
            api,
            commit: info.sha,
            listed: info.siblings.into_iter().map(|file| file.rfilename).collect(),
        })
    }

    /// The folder, when all is in it.
    fn run(self, needs: Needs) -> anyhow::Result<Fetched> {
        let first = FIRST.iter().map(|name| (*name).to_owned()).filter(|name| self.listed.contains(name));
        self.files(&first.collect::<Vec<_>>())?;
        let folder = self.named.pointer_path(&self.commit);
        let needed = needs(&folder, Some(&self.listed))
            .map_err(|error| anyhow!("{}: {error:#}; another revision may have it, named after '@'", self.address))?;
        let sums = self.files(&needed)?;
        // Only now, so that offline mode finds what was whole before as long as the new is not.
        self.named.create_ref(&self.commit).map_err(|error| self.failed("its reference", &error.into()))?;
        Ok(Fetched { folder, sums })
    }

    fn failed(&self, name: &str, error: &ApiError) -> anyhow::Error {
        anyhow!("{}: {name}: {}", self.address, failure::explain(error, self.with_token))
    }

    /// Downloads these files; their SHA-256.
    fn files(&self, names: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
        let files = names.iter().map(|name| Ok((name, self.describe(name)?)));
        let files: Vec<(&String, Metadata)> = files.collect::<anyhow::Result<_>>()?;
        self.check_disk_space(&files)?;
        let bars = Bars::new(files.iter().map(|(_, file)| file.size() as u64).sum());
        let mut sums = BTreeMap::new();
        for (name, file) in &files {
            self.file(name, file, &bars)?;
            let sum = match file.etag() {
                // Just compared.
                etag if etag.len() == 64 => etag.to_lowercase(),
                _ => verify::sha256(&self.named.pointer_path(&self.commit).join(name))
                    .map_err(|error| self.failed(name, &error.into()))?,
            };
            sums.insert((*name).clone(), sum);
        }
        Ok(sums)
    }

    /// Asked before gigabytes are on their way.
    fn check_disk_space(&self, files: &[(&String, Metadata)]) -> anyhow::Result<()> {
        let length = |path: PathBuf| fs::metadata(path).map_or(0, |data| data.len());
        let missing = files.iter().map(|(_, file)| {
            let content = self.named.blob_path(file.etag());
            let there = length(content.with_extension("part")).max(length(content));
            (file.size() as u64).saturating_sub(there)
        });
        let missing = missing.fold(0, u64::saturating_add);
        let content = self.named.blob_path("");
        // The cache may be made only now. Where nobody can tell, the download itself will.
        let Some(disk) = content.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok()) else { return Ok(()) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if missing > free {
            let gigabytes = |bytes: u64| bytes as f64 / 1e9;
            bail!(
                "{}: {:.1} GB are to be fetched, and there are {:.1} GB of free disk space at {}; make room, or let HF_HOME \
                 name a folder on another disk",
                self.address,
                gigabytes(missing),
                gigabytes(free),
                content.display()
            );
        }
        Ok(())
    }

    /// Size and tag of a file.
    fn describe(&self, name: &str) -> anyhow::Result<Metadata> {
        let file = self.api.metadata(&self.remote.url(name)).map_err(|error| self.failed(name, &error))?;
        // Both become parts of paths in the cache.
        if file.commit_hash() != self.commit || !address::is_name(file.etag()) {
            bail!("{}: {name}: the hub's answer is of another commit; run the command again", self.address);
        }
        Ok(file)
    }

    /// Downloads a file unless the cache has it whole.
    fn file(&self, name: &str, file: &Metadata, bars: &Bars) -> anyhow::Result<()> {
        let failed = |error: io::Error| self.failed(name, &error.into());
        let (size, etag) = (file.size() as u64, file.etag());
        let target = self.named.pointer_path(&self.commit).join(name);
        let content = self.named.blob_path(etag);

        reuse(&content, &target, size).map_err(failed)?;
        if target.is_file() && verify::difference(&target, size, etag).map_err(failed)?.is_none() {
            bars.skip(size);
            return Ok(());
        }
        discard(&content, &target).map_err(failed)?;
        self.remote.download_with_progress(name, bars.file()).map_err(|error| self.failed(name, &error))?;
        if let Some(difference) = verify::difference(&target, size, etag).map_err(failed)? {
            discard(&content, &target).map_err(failed)?;
            bail!("{}: {name} came damaged: {difference}; run the command again", self.address);
        }
        Ok(())
    }
}

/// Gives `target` a content that is in the cache already: of another commit, or of a download that was stopped after its
/// last byte. What cannot be gone on with is removed.
fn reuse(content: &Path, target: &Path, size: u64) -> io::Result<()> {
    // The crate's name of what it has not finished. It would append to it, whatever its length.
    let part = content.with_extension("part");
    match fs::metadata(&part).map(|part| part.len()) {
        Ok(length) if length == size => fs::rename(&part, content)?,
        Ok(length) if length > size => fs::remove_file(&part)?,
        _ => (),
    }
    if content.is_file() && !target.is_file() {
        remove(target)?;
        target.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::hard_link(content, target)?;
    }
    Ok(())
}

/// Removes a content that is not what it should be; the crate writes over none.
fn discard(content: &Path, target: &Path) -> io::Result<()> {
    remove(target)?;
    remove(content)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
