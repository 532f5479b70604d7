//! `index.html`: everything on one page that needs no other file.

use super::{
    super::summary::Summary,
    crops::Crops,
    markdown::{self, Cells},
    plots::Plot,
};

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;font-size:14px}td,th{border-bottom:1px solid #ccc;padding:.3em .6em;text-align:right}\
td:first-child,th:first-child{text-align:left}.scroll{overflow-x:auto}.pair{position:relative;width:512px;max-width:100%}\
.pair img{width:100%;display:block;image-rendering:pixelated}.pair img+img{position:absolute;top:0;left:0}\
.pair+input{width:512px;max-width:100%;margin:0}svg{max-width:100%;height:auto}";

/// Shows the chosen pictures of a figure, the left one up to where the slider stands.
const SCRIPT: &str = "document.querySelectorAll('figure').forEach(function(f){\
var s=f.querySelectorAll('select'),i=f.querySelectorAll('.pair img'),r=f.querySelector('input');\
var d=Array.from(f.querySelectorAll('data')).map(function(e){return 'data:image/png;base64,'+e.value});\
function show(){i[0].src=d[s[1].value];i[1].src=d[s[0].value];i[1].style.clipPath='inset(0 '+(100-r.value)+'% 0 0)'}\
s[0].onchange=s[1].onchange=r.oninput=show;show()});";

pub fn page(summary: &Summary, plots: &[Plot], crops: &[Crops]) -> String {
    let title = escape(&format!("Evaluation of {}", summary.model));
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style></head>\
         <body>\n<h1>{title}</h1>\n<p>{}</p>\n",
        escape(&markdown::about(summary))
    );
    html.push_str(&table(&markdown::means(summary)));
    let comparisons = markdown::comparisons(summary);
    if comparisons.len() > 1 {
        html.push_str(&format!(
            "<h2>What steering gains</h2>\n<p>{}</p>\n{}",
            escape(markdown::GAINS),
            table(&comparisons)
        ));
    }
    if let Some(cells) = markdown::stability(summary) {
        html.push_str(&format!("<h2>Stability</h2>\n<p>{}</p>\n{}", escape(markdown::STABILITY), table(&cells)));
    }
    if let Some(confidence) = &summary.confidence {
        let (about, cells) = (markdown::about_confidence(confidence), markdown::reliability(confidence));
        html.push_str(&format!("<h2>Confidence</h2>\n<p>{}</p>\n{}", escape(&about), table(&cells)));
    }
    for plot in plots {
        html.push_str(&plot.svg);
        html.push('\n');
    }
    html.push_str(
        "<h2>Pictures</h2>\n<p>Drag the slider: the first choice is to its left, the second to its right.</p>\n",
    );
    for crops in crops {
        html.push_str(&figure(crops));
    }
    html.push_str(&format!("<script>{SCRIPT}</script></body></html>\n"));
    html
}

/// A picture: two of its versions under a slider; at first one particle and steering, or the first and the last.
fn figure(crops: &Crops) -> String {
    let position = |word: &str| crops.shown.iter().position(|(title, _)| title.starts_with(word));
    let left = position("one particle").unwrap_or(0);
    let right = position("KDS").unwrap_or(crops.shown.len().saturating_sub(1));
    let select = |label: &str, chosen: usize| {
        let option = |(index, (title, _)): (usize, &(String, String))| {
            let mark = if index == chosen { " selected" } else { "" };
            format!("<option value=\"{index}\"{mark}>{}</option>", escape(title))
        };
        let options: String = crops.shown.iter().enumerate().map(option).collect();
        format!("<select aria-label=\"{label}\">{options}</select>")
    };
    let data: String = crops.shown.iter().map(|(_, png)| format!("<data value=\"{png}\"></data>")).collect();
    format!(
        "<figure><figcaption>{} {} {}</figcaption>{data}<div class=\"pair\"><img alt=\"right\"><img alt=\"left\"></div>\
         <input type=\"range\" min=\"0\" max=\"100\" value=\"50\" aria-label=\"where the pictures meet\"></figure>\n",
        escape(&crops.name),
        select("left", left),
        select("right", right),
    )
}

fn table(cells: &Cells) -> String {
    let row = |(index, row): (usize, &Vec<String>)| {
        let tag = if index == 0 { "th" } else { "td" };
        let cells: String = row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    format!("<div class=\"scroll\"><table>\n{}</table></div>\n", cells.iter().enumerate().map(row).collect::<String>())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_text() {
        let shown = [("no model", "AA"), ("one particle, mean", "BB"), ("KDS, 4 particles", "CC"), ("truth", "DD")];
        let shown = shown.map(|(title, png)| (title.to_owned(), png.to_owned())).to_vec();
        let html = figure(&Crops { name: "<script>alert(\"x\")".to_owned(), shown });
        assert!(html.contains("&lt;script&gt;alert(&quot;x&quot;)") && !html.contains("<script>"), "{html}");
        assert!(
            html.contains("<option value=\"1\" selected>one particle")
                && html.contains("<option value=\"2\" selected>KDS")
        );
    }
}
