//! Names in the files of original checkpoints (CompVis/latent-diffusion, Stability-AI/stablediffusion, OpenCLIP), for
//! networks that ask by the names of diffusers and transformers.

mod control;
mod open_clip;
mod unet;
mod vae;

pub use control::LdmControlNet;
pub use open_clip::OpenClipText;
pub use unet::LdmUNet;
pub use vae::LdmVae;

/// Where a file has what a network asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name in the file.
    pub name: String,
    /// Its layout there.
    pub form: Form,
}

/// Layout of a tensor in the file, if not as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is asked for.
    Same,
    /// One of so many equal parts of a tensor, along its first axis.
    Part(i64, i64),
    /// The matrix of a linear layer as the kernel of a 1x1 convolution.
    Kernel,
}

impl Place {
    /// As it is asked for.
    pub fn same(name: impl Into<String>) -> Self {
        Self { name: name.into(), form: Form::Same }
    }
}

/// The names of one network in a kind of file.
pub trait Names {
    /// Where the file has the tensor that the network calls `name`.
    fn place(&self, name: &str) -> Place;

    /// True where the file may have a tensor of this name that no computation needs.
    fn ignores(&self, _name_in_file: &str) -> bool {
        false
    }
}

/// The network's own names.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnNames;

impl Names for OwnNames {
    fn place(&self, name: &str) -> Place {
        Place::same(name)
    }
}

/// The leading number of a path, and what follows it: `2.weight`.
fn number(path: &str) -> Option<(usize, &str)> {
    let (number, rest) = path.split_once('.')?;
    Some((number.parse().ok()?, rest))
}

/// `path` with the first of its beginnings that is in the table exchanged; both without the dot that ends them.
fn exchange(path: &str, table: &[(&str, &str)]) -> Option<String> {
    table.iter().find_map(|(ours, theirs)| {
        let rest = path.strip_prefix(ours)?;
        (rest.is_empty() || rest.starts_with('.')).then(|| format!("{theirs}{rest}"))
    })
}
