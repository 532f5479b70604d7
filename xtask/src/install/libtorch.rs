//! Which files of libtorch an installation carries, and their licences.

use super::elf;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Libraries of every Linux system with a C++ runtime, Debian's smallest included, and of an NVIDIA driver.
/// Carrying a second C++ runtime into a host that has its own would break one of them.
const OF_THE_SYSTEM: [&str; 10] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libcuda.so.1",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
];

/// Opened by name at run time, where there is a GPU. The package for the CPU holds them too, without what they need.
const CUDA: [&str; 3] = ["libtorch_cuda.so", "libtorch_cuda_linalg.so", "libcaffe2_nvrtc.so"];

/// A libtorch as its package lays it out: beside `torch` may lie other packages, whose libraries it finds by paths
/// relative to its own.
pub struct Libtorch {
    /// The folder that holds `torch` and, where the package manager put it, `nvidia`.
    packages: PathBuf,
    /// `torch/lib`, from there.
    libraries: PathBuf,
}

/// Libraries that others need, and names that were nowhere to be found.
#[derive(Default)]
struct Closure {
    found: BTreeSet<PathBuf>,
    missing: BTreeSet<String>,
}

impl Libtorch {
    /// The libtorch in this folder, which may be a link.
    pub fn new(torch: &Path) -> Result<Self> {
        let torch = fs::canonicalize(torch).with_context(|| format!("cannot find libtorch at {}", torch.display()))?;
        match (torch.parent(), torch.file_name()) {
            (Some(packages), Some(name)) => {
                Ok(Self { packages: packages.to_owned(), libraries: Path::new(name).join("lib") })
            }
            _ => bail!("{} cannot be a libtorch: it has no name", torch.display()),
        }
    }

    /// The folder that holds the packages: the paths below start here.
    pub fn packages(&self) -> &Path {
        &self.packages
    }

    /// The folder of the libraries that ours is linked to.
    pub fn libraries(&self) -> &Path {
        &self.libraries
    }

    /// The libraries that `library` needs at run time, those for GPUs included where they are complete.
    pub fn needed_by(&self, library: &Path) -> Result<BTreeSet<PathBuf>> {
        let mut closure = Closure::default();
        self.add_needs(&mut closure, library, &[self.packages.join(&self.libraries)])?;
        if !closure.missing.is_empty() {
            bail!(
                "{} needs {}, which is not part of the libtorch in {} nor of every system: use the libtorch that `cargo \
                 xtask setup` fetches",
                library.display(),
                closure.missing.into_iter().collect::<Vec<_>>().join(", "),
                self.packages.display()
            );
        }
        let mut libraries = closure.found;
        libraries.extend(self.for_gpus()?);
        Ok(libraries)
    }

    /// The libraries for GPUs; none when something that they need is missing.
    fn for_gpus(&self) -> Result<BTreeSet<PathBuf>> {
        let mut closure = Closure::default();
        for name in CUDA {
            let folder = self.packages.join(&self.libraries);
            self.add(&mut closure, name, &[folder])?;
        }
        if !closure.missing.is_empty() {
            return Ok(BTreeSet::new());
        }
        // NVIDIA's libraries open others of their folder by name, such as the parts of cuDNN.
        let mut libraries = closure.found;
        let folders: BTreeSet<_> =
            libraries.iter().filter_map(|library| library.parent().map(Path::to_owned)).collect();
        for folder in folders.iter().filter(|folder| **folder != self.libraries) {
            let whole = self.packages.join(folder);
            for file in fs::read_dir(&whole).with_context(|| format!("cannot read {}", whole.display()))? {
                let file = file.with_context(|| format!("cannot read {}", whole.display()))?;
                if file.file_name().to_string_lossy().contains(".so") {
                    libraries.insert(folder.join(file.file_name()));
                }
            }
        }
        Ok(libraries)
    }

    /// Adds what `library` needs, and what that needs in turn. Folders of those above it are searched after its own.
    fn add_needs(&self, closure: &mut Closure, library: &Path, above: &[PathBuf]) -> Result<()> {
        let dynamic = elf::dynamic(library)?;
        let origin = library.parent().unwrap_or(library);
        let mut folders: Vec<PathBuf> = dynamic
            .search
            .iter()
            .filter_map(|folder| folder.strip_prefix("$ORIGIN"))
            .map(|rest| without_dots(&origin.join(rest.trim_start_matches('/'))))
            .collect();
        folders.extend_from_slice(above);
        dynamic.needed.iter().try_for_each(|name| self.add(closure, name, &folders))
    }

    fn add(&self, closure: &mut Closure, name: &str, folders: &[PathBuf]) -> Result<()> {
        if OF_THE_SYSTEM.contains(&name) {
            return Ok(());
        }
        let Some(file) = folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()) else {
            closure.missing.insert(name.to_owned());
            return Ok(());
        };
        let Ok(relative) = file.strip_prefix(&self.packages) else {
            closure.missing.insert(name.to_owned());
            return Ok(());
        };
        if closure.found.insert(relative.to_owned()) {
            self.add_needs(closure, &file, folders)?;
        }
        Ok(())
    }

    /// The licences of the packages that these libraries come from: name of the package and file, and where it lies.
    pub fn licences(&self, libraries: &BTreeSet<PathBuf>) -> Result<BTreeMap<PathBuf, PathBuf>> {
        let mut licences = BTreeMap::new();
        let failed = || format!("cannot read {}", self.packages.display());
        for folder in fs::read_dir(&self.packages).with_context(failed)? {
            let folder = folder.with_context(failed)?;
            let name = folder.file_name();
            let Some(package) = name.to_str().and_then(|name| name.strip_suffix(".dist-info")) else { continue };
            // Each line: a file of the package, a comma, checksum and size.
            let Ok(record) = fs::read_to_string(folder.path().join("RECORD")) else { continue };
            let files: Vec<&Path> = record.lines().filter_map(|line| line.split(',').next()).map(Path::new).collect();
            if !files.iter().any(|file| libraries.contains(*file)) {
                continue;
            }
            let before = licences.len();
            for file in files {
                if let Some(name) = file.file_name().filter(|name| is_licence(&name.to_string_lossy())) {
                    licences.insert(Path::new(package).join(name), self.packages.join(file));
                }
            }
            if licences.len() == before {
                bail!("{} holds libraries to install but no licence", folder.path().display());
            }
        }
        Ok(licences)
    }
}

fn is_licence(name: &str) -> bool {
    let name = name.to_lowercase();
    name.starts_with("licen") || name.starts_with("notice")
}

/// The path with each `folder/..` left out. No link is followed: the loader's view of `$ORIGIN/../..` starts at a real
/// folder already.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const TORCH: &str = "torch/lib";
    const CUDNN: &str = "nvidia/cudnn/lib";

    /// An empty library that is linked to others of its folders and searches as libtorch's package does.
    fn library(packages: &Path, path: &str, needed: &[&str]) {
        let file = packages.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-nostdlib", "-x", "c", "/dev/null", "-x", "none", "-Wl,--no-as-needed"]);
        compile
            .arg(format!("-Wl,-rpath,$ORIGIN/../../{CUDNN}:$ORIGIN,-soname,{}", file.file_name().unwrap().display()));
        compile.args(needed.iter().map(|needed| packages.join(needed))).arg("-o").arg(&file);
        assert!(compile.status().unwrap().success());
    }

    /// libtorch as the package for the CPU brings it: its part for GPUs is there, but not what that needs.
    fn package() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let packages = folder.path();
        library(packages, "torch/lib/libc10.so", &[]);
        library(packages, "torch/lib/libtorch_cpu.so", &["torch/lib/libc10.so"]);
        library(packages, "torch/lib/libpython_part.so", &[]);
        library(packages, "nvidia/cudnn/lib/libcudnn.so.9", &[]);
        for name in CUDA {
            library(packages, &format!("{TORCH}/{name}"), &["nvidia/cudnn/lib/libcudnn.so.9"]);
        }
        library(packages, "libkds.so", &["torch/lib/libtorch_cpu.so"]);
        fs::remove_dir_all(packages.join("nvidia")).unwrap();
        folder
    }

    fn needed(packages: &Path) -> BTreeSet<PathBuf> {
        Libtorch::new(&packages.join("torch")).unwrap().needed_by(&packages.join("libkds.so")).unwrap()
    }

    #[test]
    fn the_part_for_gpus_is_carried_whole_or_not_at_all() {
        let folder = package();
        let packages = folder.path();
        let cpu: BTreeSet<_> = ["libc10.so", "libtorch_cpu.so"].map(|name| Path::new(TORCH).join(name)).into();
        assert_eq!(needed(packages), cpu);

        let mut cuda = cpu;
        cuda.extend(CUDA.map(|name| Path::new(TORCH).join(name)));
        for name in ["libcudnn.so.9", "libcudnn_ops.so.9"] {
            library(packages, &format!("{CUDNN}/{name}"), &[]);
            cuda.insert(Path::new(CUDNN).join(name));
        }
        assert_eq!(needed(packages), cuda);
    }

    #[test]
    fn what_is_missing_is_named() {
        let folder = package();
        fs::remove_file(folder.path().join("torch/lib/libc10.so")).unwrap();
        let libtorch = Libtorch::new(&folder.path().join("torch")).unwrap();
        let message = libtorch.needed_by(&folder.path().join("libkds.so")).unwrap_err().to_string();
        assert!(message.contains("libkds.so needs libc10.so"), "{message}");
    }

    #[test]
    fn licences_come_from_the_packages_of_what_is_carried() {
        let folder = package();
        let packages = folder.path();
        for (package, record) in [
            ("torch-2", "torch/lib/libtorch_cpu.so,sha,1\ntorch-2.dist-info/licenses/NOTICE,,\nother/License.txt,,\n"),
            ("python_part-1", "torch/lib/libpython_part.so,,\npython_part-1.dist-info/LICENSE,,\n"),
        ] {
            let info = packages.join(format!("{package}.dist-info"));
            fs::create_dir(&info).unwrap();
            fs::write(info.join("RECORD"), record).unwrap();
        }
        let libtorch = Libtorch::new(&packages.join("torch")).unwrap();
        let found: Vec<_> = libtorch.licences(&needed(packages)).unwrap().into_keys().collect();
        assert_eq!(found, ["torch-2/License.txt", "torch-2/NOTICE"].map(PathBuf::from));
    }
}
