//! A small Debian in a folder, to run programs where nothing of the build machine is installed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use xtask::packages;
use xtask::partial::{Partial, sibling};
use xtask::setup::Setup;

/// A Debian of this name with its essential packages, apt, and what else was asked for; it is made once and kept beside
/// libtorch, in the user's cache folder. That takes root, `mmdebstrap` and a network.
#[derive(Clone)]
pub struct DebianRoot(PathBuf);

impl DebianRoot {
    /// The Debian of this release, such as `trixie`.
    pub fn new(release: &str) -> Result<Self> {
        Self::make_once(release, "minbase", &["--variant=minbase"])
    }

    /// The same with packages, such as `gimp`, and all that they need.
    pub fn with(release: &str, packages: &[&str]) -> Result<Self> {
        let included = format!("--include={}", packages.join(","));
        Self::make_once(release, &packages.join("+"), &["--variant=minbase", &included])
    }

    /// Debian testing with the newest GIMP and a melt that knows OpenFX (7.38 and newer); in one, since both need much of the same.
    pub fn testing() -> Result<Self> {
        Self::with("testing", &["gimp", "melt"])
    }

    fn make_once(release: &str, name: &str, arguments: &[&str]) -> Result<Self> {
        let cache = Setup::from_environment()?.cache;
        fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let root = cache.join(format!("debian-{release}-{name}"));
        // Another test may be making it.
        let lock = sibling(&root, "lock");
        let lock = File::create(&lock).with_context(|| format!("cannot create {}", lock.display()))?;
        lock.lock().context("cannot lock the folder of the Debian root")?;
        if !root.exists() {
            make(release, arguments, &root)
                .with_context(|| format!("cannot make a Debian {release} root, which takes root and a network"))?;
        }
        Ok(Self(root))
    }

    /// Where it is. It is shared: write nothing here.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A command that runs in this root, with an empty environment and `folder` as `/mnt`, its working directory. The
    /// mounts are gone when it ends.
    pub fn command(&self, folder: &Path, program: impl AsRef<OsStr>) -> Command {
        self.run("", folder, program)
    }

    /// The same in a copy of this root that may be changed. It is in memory, and gone when the command ends.
    pub fn command_in_copy(&self, folder: &Path, program: impl AsRef<OsStr>) -> Command {
        const COPY: &str = r#"mount -t tmpfs -o size=2g kds /tmp && mkdir /tmp/new /tmp/work /tmp/root &&
            mount -t overlay -o "lowerdir=$root,upperdir=/tmp/new,workdir=/tmp/work" kds /tmp/root && root=/tmp/root &&"#;
        self.run(COPY, folder, program)
    }

    fn run(&self, before: &str, folder: &Path, program: impl AsRef<OsStr>) -> Command {
        let script = format!(
            r#"root=$1 folder=$2; shift 2
            exec 3<"$folder" && {before}
            mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev" &&
            mount --bind /proc/self/fd/3 "$root/mnt" && exec 3<&- &&
            exec chroot "$root" env -i -C /mnt PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@""#
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"]);
        command.arg(&self.0).arg(folder).arg(program);
        command
    }
}

fn make(release: &str, arguments: &[&str], root: &Path) -> Result<()> {
    packages::ensure(&[("mmdebstrap", "mmdebstrap")])?;
    let partial = Partial::new(sibling(root, "partial"))?;
    let made = partial.path().join("root");
    let mut command = Command::new("mmdebstrap");
    command.args(arguments);
    // Mirrors may lag behind.
    command.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
    for left_out in ["doc", "locale", "man"] {
        command.arg(format!("--dpkgopt=path-exclude=/usr/share/{left_out}/*"));
    }
    let output = command.arg(release).arg(&made).args(mirror()).output().context("cannot start mmdebstrap")?;
    if !output.status.success() {
        bail!("mmdebstrap failed ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    // Where programs that run in it see a folder of this machine.
    for folder in ["mnt", "proc", "dev"] {
        fs::create_dir_all(made.join(folder))
            .with_context(|| format!("cannot create {folder} in {}", made.display()))?;
    }
    fs::rename(&made, root).with_context(|| format!("cannot move {} to {}", made.display(), root.display()))
}

/// The mirror that this machine uses, if it is a Debian that names one where Debian 12 does; otherwise mmdebstrap's own.
fn mirror() -> Option<String> {
    let sources = fs::read_to_string("/etc/apt/sources.list.d/debian.sources").ok()?;
    sources.lines().find_map(|line| line.strip_prefix("URIs: ")).map(str::to_owned)
}
