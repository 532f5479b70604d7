//! `hf:ORG/REPO[@REVISION]`: which model of the hub.

use std::{fmt, str::FromStr};

/// The revision where none is named.
const MAIN: &str = "main";

/// A model of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubAddress {
    /// `ORG/REPO`.
    pub repository: String,
    /// A branch, a tag or a commit.
    pub revision: String,
}

/// A text that is no address.
#[derive(Debug, thiserror::Error)]
#[error("a model of the hub is hf:ORG/REPO or hf:ORG/REPO@REVISION")]
pub struct NoAddress;

impl HubAddress {
    /// Prefix of addresses.
    pub const PREFIX: &str = "hf:";

    /// Where the same model is, for those that their authors took from the hub: Stability AI withdrew every Stable
    /// Diffusion 2 in November 2025 (huggingface/diffusers#12874), and its community keeps copies.
    pub fn mirror(&self) -> Option<Self> {
        const FAMILY: &str = "stable-diffusion-2";
        let name = self.repository.strip_prefix("stabilityai/")?;
        let mirrored = name.strip_prefix(FAMILY).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        mirrored.then(|| Self { repository: format!("sd2-community/{name}"), revision: MAIN.to_owned() })
    }

    /// The part of the name that a person would call it by.
    pub fn name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }
}

impl FromStr for HubAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let address = text.strip_prefix(Self::PREFIX).ok_or(NoAddress)?;
        let (repository, revision) = address.split_once('@').unwrap_or((address, MAIN));
        // Both become parts of paths in the cache.
        let all_names = |text: &str| text.split('/').all(is_name);
        if repository.matches('/').count() == 1 && all_names(repository) && all_names(revision) {
            Ok(Self { repository: repository.to_owned(), revision: revision.to_owned() })
        } else {
            Err(NoAddress)
        }
    }
}

/// True for a text that is a harmless part of a path and of an address.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

impl fmt::Display for HubAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.repository)?;
        if self.revision == MAIN { Ok(()) } else { write!(f, "@{}", self.revision) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        let address: HubAddress = "hf:org/My.Model-x4".parse().unwrap();
        assert_eq!(
            (&address.repository[..], &address.revision[..], address.name()),
            ("org/My.Model-x4", "main", "My.Model-x4")
        );
        for text in ["hf:org/repo", "hf:org/repo@v1.0", "hf:org/repo@refs/pr/1", "hf:org/repo@0a1b2c"] {
            assert_eq!(text.parse::<HubAddress>().unwrap().to_string(), text);
        }
        assert_eq!("hf:org/repo@main".parse::<HubAddress>().unwrap().to_string(), "hf:org/repo");
    }

    #[test]
    fn withdrawn_models_have_a_mirror() {
        let mirror = |text: &str| text.parse::<HubAddress>().unwrap().mirror().map(|mirror| mirror.to_string());
        for name in ["stable-diffusion-2", "stable-diffusion-2-1-base", "stable-diffusion-2-inpainting"] {
            assert_eq!(mirror(&format!("hf:stabilityai/{name}@fp16")), Some(format!("hf:sd2-community/{name}")));
        }
        for name in ["stabilityai/sd-turbo", "stabilityai/stable-diffusion-3.5-large", "other/stable-diffusion-2"] {
            assert_eq!(mirror(&format!("hf:{name}")), None);
        }
    }

    #[test]
    fn what_could_leave_the_cache_is_no_address() {
        for text in [
            "org/repo",
            "hf:",
            "hf:repo",
            "hf:/repo",
            "hf:org/",
            "hf:org/a/b",
            "hf:../repo",
            "hf:org/..",
            "hf:org/repo@",
            "hf:org/repo@../../x",
            "hf:org/repo@/etc",
            "hf:org/repo@a b",
            "hf:org/repo?x",
            "hf:org/repo@a@b",
        ] {
            assert!(text.parse::<HubAddress>().is_err(), "{text}");
        }
    }
}
