//! From a prompt to what a network reads of it: the folders `tokenizer/` and `text_encoder/` of a diffusers model.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tch::Tensor;
use tokenizers::Tokenizer;

use super::ModelFiles;
use super::files::TRANSFORMERS_WEIGHTS;
use crate::nn::{ClipTextConfig, ClipTextModel, Loading};
use crate::{Error, Result};

/// CLIP's tokenizer and text encoder.
pub struct TextEncoder {
    tokenizer: ClipTokenizer,
    model: ClipTextModel,
    channels: i64,
    loading: Loading,
}

impl TextEncoder {
    /// Loads both; the error names the file, and the key or tensor, that does not fit.
    pub fn load(files: &ModelFiles, loading: Loading) -> Result<Self> {
        let (config, model) =
            files.network::<ClipTextConfig, _>("text_encoder", TRANSFORMERS_WEIGHTS, loading, ClipTextModel::new)?;
        Self::new(files, &config, model, loading)
    }

    /// A text encoder from elsewhere, with the tokenizer of the folder.
    pub(super) fn new(
        files: &ModelFiles,
        config: &ClipTextConfig,
        model: ClipTextModel,
        loading: Loading,
    ) -> Result<Self> {
        let longest = config.max_position_embeddings.unsigned_abs() as usize;
        let tokenizer = ClipTokenizer::load(files, longest)?;
        if let Some(token) = tokenizer.special().into_iter().find(|token| i64::from(*token) >= config.vocab_size) {
            let reason = format!("vocab_size is {}, but the tokenizer has a token {token}", config.vocab_size);
            return Err(files.error("text_encoder/config.json", reason));
        }
        Ok(Self { tokenizer, model, channels: config.hidden_size, loading })
    }

    /// Channels of the encoded text.
    pub fn channels(&self) -> i64 {
        self.channels
    }

    /// The last hidden state of each text, `N x S x channels`.
    pub fn encode(&self, texts: &[&str]) -> Result<Tensor> {
        let mut tokens = Vec::new();
        for text in texts {
            tokens.extend(self.tokenizer.encode(text)?.into_iter().map(i64::from));
        }
        let tokens = Tensor::f_from_slice(&tokens)?.f_reshape([texts.len() as i64, -1])?;
        self.model.forward(&tokens.f_to_device(self.loading.device)?)
    }
}

/// CLIP's byte-pair encoding (transformers: models/clip/tokenization_clip.py).
pub struct ClipTokenizer {
    tokenizer: Tokenizer,
    start: u32,
    end: u32,
    padding: u32,
    /// Tokens of every text: longer ones are cut, shorter ones filled up.
    length: usize,
}

const WHOLE: &str = "tokenizer/tokenizer.json";
const VOCABULARY: &str = "tokenizer/vocab.json";
const MERGES: &str = "tokenizer/merges.txt";
const SPECIAL: &str = "tokenizer/special_tokens_map.json";
const CONFIG: &str = "tokenizer/tokenizer_config.json";

/// The part of `special_tokens_map.json` and `tokenizer_config.json` that counts.
#[derive(Deserialize, Default)]
struct Special {
    bos_token: Option<Token>,
    eos_token: Option<Token>,
    pad_token: Option<Token>,
    /// Some say 10³⁰ for "any".
    model_max_length: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Plain(String),
    Described { content: String },
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Described { content: text } => text,
        }
    }
}

impl ClipTokenizer {
    /// Reads `tokenizer.json`, or `vocab.json` and `merges.txt`, and which tokens are special. `longest`: tokens that the
    /// text encoder takes.
    pub fn load(files: &ModelFiles, longest: usize) -> Result<Self> {
        let optional = |name| if files.contains(name) { files.read_json(name) } else { Ok(Special::default()) };
        let (map, config): (Special, Special) = (optional(SPECIAL)?, optional(CONFIG)?);
        let word = |from: fn(&Special) -> &Option<Token>, default: &str| {
            let token = from(&map).as_ref().or(from(&config).as_ref());
            token.map_or(default, Token::text).to_owned()
        };
        let start = word(|special| &special.bos_token, "<|startoftext|>");
        let end = word(|special| &special.eos_token, "<|endoftext|>");
        let padding = word(|special| &special.pad_token, &end);

        let (name, description) = if files.contains(WHOLE) {
            (WHOLE, files.read_json(WHOLE)?)
        } else {
            (VOCABULARY, describe(files, &start, &end, &padding)?)
        };
        let mut tokenizer: Tokenizer = serde_json::from_value(description)
            .map_err(|error| files.error(name, format!("no byte-pair encoding: {error}")))?;
        // Length is our own affair: what the file says of it may be missing.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| files.error(name, error.to_string()))?;
        let id = |token: &str| {
            let missing = || files.error(name, format!("there is no token '{token}'"));
            tokenizer.token_to_id(token).ok_or_else(missing)
        };
        let (start, end, padding) = (id(&start)?, id(&end)?, id(&padding)?);
        let most = config.model_max_length.unwrap_or(longest as f64).clamp(2.0, 1e6) as usize;
        Ok(Self { tokenizer, start, end, padding, length: most.min(longest.max(2)) })
    }

    /// The tokens of a text: start, words, end, padding.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let failed = |error: tokenizers::Error| Error::Conflict(format!("the prompt cannot be read: {error}"));
        let words = self.tokenizer.encode_fast(text, false).map_err(failed)?;
        let kept = words.get_ids().iter().copied().take(self.length - 2);
        let mut tokens: Vec<u32> = std::iter::once(self.start).chain(kept).chain([self.end]).collect();
        tokens.resize(self.length, self.padding);
        Ok(tokens)
    }

    fn special(&self) -> [u32; 3] {
        [self.start, self.end, self.padding]
    }
}

/// The `tokenizer.json` of a vocabulary and its merges. The padding is special in a text too: with Stable
/// Diffusion 2, which pads by `!`, that is what an exclamation mark becomes.
fn describe(files: &ModelFiles, start: &str, end: &str, padding: &str) -> Result<Value> {
    let vocabulary: BTreeMap<String, u32> = files.read_json(VOCABULARY)?;
    let bytes = files.read(MERGES)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| files.error(MERGES, error.to_string()))?;
    let merges: Vec<&str> =
        text.lines().filter(|line| !(line.starts_with("#version") || line.trim().is_empty())).collect();
    let special = |token: &str| -> Result<Value> {
        let id =
            vocabulary.get(token).ok_or_else(|| files.error(VOCABULARY, format!("there is no token '{token}'")))?;
        let no = false;
        Ok(json!({"id": id, "content": token, "special": true,
                  "single_word": no, "lstrip": no, "rstrip": no, "normalized": no}))
    };
    // A list that names a token twice would be refused.
    let mut special_tokens = vec![special(start)?, special(end)?];
    if padding != start && padding != end {
        special_tokens.push(special(padding)?);
    }
    Ok(json!({
        "version": "1.0",
        "added_tokens": special_tokens,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "behavior": "Removed", "invert": true,
             "pattern": {"Regex": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"}},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        ]},
        "model": {"type": "BPE", "dropout": null, "unk_token": end, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "</w>", "fuse_unk": false, "vocab": vocabulary, "merges": merges},
    }))
}
