//! Columns of text.

use unicode_width::UnicodeWidthStr;

use crate::shown;

/// Lines with the cells of each column below one another, two spaces apart, without trailing space.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| shown::line(cell))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| cell.clone() + &" ".repeat(width.saturating_sub(cell.width())))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_line_up() {
        let rows = [["id", "scale"], ["größe", "4"], ["日本", "2"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "id     scale\ngröße  4\n日本   2\n");
    }
}
