//! `results.csv`: a line for each picture and method.

use super::super::{
    metric::{Metric, score},
    summary::Summary,
};

pub fn table(summary: &Summary) -> String {
    let mut text = String::from("picture,method");
    for metric in Metric::ALL {
        text.push_str(&format!(",{}", metric.key()));
    }
    text.push_str(",seconds,memory_bytes\n");
    for picture in &summary.pictures {
        for outcome in &picture.methods {
            text.push_str(&format!("{},{}", field(&picture.name), outcome.method));
            for metric in Metric::ALL {
                text.push_str(&format!(
                    ",{}",
                    score(&outcome.scores, metric).map_or(String::new(), |value| value.to_string())
                ));
            }
            let memory = outcome.cost.memory.map_or(String::new(), |bytes| bytes.to_string());
            text.push_str(&format!(",{},{memory}\n", outcome.cost.seconds));
        }
    }
    text
}

/// A field as RFC 4180 has it.
fn field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_commas_stay_one_field() {
        assert_eq!(field("kitten"), "kitten");
        assert_eq!(field("a, \"b\""), "\"a, \"\"b\"\"\"");
    }
}
