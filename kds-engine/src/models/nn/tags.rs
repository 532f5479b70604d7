//! The tags that a picture may have, and the scores from which they count.

use tch::{Kind, Tensor};

use crate::Result;

/// Names of the tags, in the order of the network's scores, with the probability that each must exceed.
#[derive(Debug, Clone, PartialEq)]
pub struct TagList {
    names: Vec<String>,
    thresholds: Vec<f32>,
}

/// Threshold of all tags where there is no list of thresholds.
const THRESHOLD: f32 = 0.68;

impl TagList {
    /// Reads a name in each line of `names`, and in each line of `thresholds` a number from 0 to 1
    /// (`ram_tag_list.txt` and `ram_tag_list_threshold.txt` of cswry/SeeSR). The error says which line is wrong.
    pub fn parse(names: &str, thresholds: Option<&str>) -> std::result::Result<Self, String> {
        let names: Vec<String> = names.lines().map(|line| line.trim().to_owned()).collect();
        if let Some(line) = names.iter().position(String::is_empty) {
            return Err(format!("line {} of the tags is empty", line + 1));
        }
        let parse = |(index, line): (usize, &str)| match line.trim().parse() {
            Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
            _ => Err(format!("line {} of the thresholds is '{line}', no number from 0 to 1", index + 1)),
        };
        let thresholds: Vec<f32> = match thresholds {
            Some(text) => text.lines().enumerate().map(parse).collect::<std::result::Result<_, _>>()?,
            None => vec![THRESHOLD; names.len()],
        };
        if thresholds.len() != names.len() {
            return Err(format!("there are {} tags and {} thresholds", names.len(), thresholds.len()));
        }
        Ok(Self { names, thresholds })
    }

    /// Number of tags.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The tags of each picture, joined by commas as SeeSR puts them into a prompt, of the network's logits, `N x tags`.
    pub fn of(&self, logits: &Tensor) -> Result<Vec<String>> {
        let thresholds = Tensor::f_from_slice(&self.thresholds)?.f_to_device(logits.device())?;
        let found = logits.f_to_kind(Kind::Float)?.f_sigmoid()?.f_gt_tensor(&thresholds)?;
        let found: Vec<bool> = Vec::try_from(&found.f_flatten(0, 1)?)?;
        let names = |found: &[bool]| {
            let names = self.names.iter().zip(found).filter_map(|(name, found)| found.then_some(&name[..]));
            names.collect::<Vec<_>>().join(", ")
        };
        Ok(found.chunks(self.names.len().max(1)).map(names).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_lists_are_refused() {
        for (names, thresholds, part) in [
            ("cat\n\ndog", None, "line 2 of the tags"),
            ("cat\ndog", Some("0.5"), "2 tags and 1 thresholds"),
            ("cat\ndog", Some("0.5\nx"), "line 2 of the thresholds"),
            ("cat\ndog", Some("0.5\nNaN"), "line 2 of the thresholds"),
            ("cat", Some("1.5"), "line 1 of the thresholds"),
        ] {
            let error = TagList::parse(names, thresholds).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn tags_exceed_their_own_thresholds() {
        let list = TagList::parse("cat\r\ndog\r\nold house\r\n", Some("0.4\n0.6\n0.5\n")).unwrap();
        // 0.5 each, then 0.88 and 0.12.
        let logits = Tensor::from_slice(&[0.0f32, 0.0, 0.0, -2.0, 2.0, 2.0]).view([2, 3]);
        assert_eq!(list.of(&logits).unwrap(), ["cat", "dog, old house"]);
        let list = TagList::parse("cat\ndog\nold house", None).unwrap();
        assert_eq!(list.of(&logits).unwrap(), ["", "dog, old house"]);
    }
}
