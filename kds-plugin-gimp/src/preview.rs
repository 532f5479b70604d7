//! Geometry and picture of the preview: a part of the layer, before on the left of a line and after on its right.

use crate::gegl::Rectangle;

/// Side of the preview, in pixels of the screen.
pub const SIDE: i32 = 256;
/// Pixels of the screen for one of the result, and each side.
pub const ZOOMS: [i32; 3] = [1, 2, 4];

/// Colour of the line, and around a layer that is smaller than the preview.
const LINE: [u8; 3] = [255, 255, 255];
const AROUND: [u8; 3] = [96, 96, 96];
/// Colour of places of no confidence.
const DOUBT: [u8; 3] = [255, 0, 64];
/// Colours of the squares behind transparent pixels, and their side.
const SQUARES: [u8; 2] = [102, 153];
const SQUARE: usize = 8;

/// The part of a layer of this size that is shown around a centre.
pub fn part(bounds: Rectangle, (x, y): (i32, i32), zoom: i32, scale: i32) -> Rectangle {
    let side = |length: i32| (SIDE / (zoom * scale).max(1)).clamp(1, length.max(1));
    let (width, height) = (side(bounds.width), side(bounds.height));
    Rectangle {
        x: (x - width / 2).clamp(0, bounds.width - width),
        y: (y - height / 2).clamp(0, bounds.height - height),
        width,
        height,
    }
}

/// First centre of the preview: the middle of the area to restore. Filling needs known pixels beside a hole, so of one that is
/// larger than the preview an edge is shown.
pub fn centre(area: Rectangle, shown: Rectangle, fills: bool) -> (i32, i32) {
    let along = |start: i32, length: i32, shown: i32| {
        if fills && length >= shown { start + shown / 4 } else { start + length / 2 }
    };
    (along(area.x, area.width, shown.width), along(area.y, area.height, shown.height))
}

/// Pictures to show, each as large as the result of the part: four bytes a pixel.
pub struct Shown<'a> {
    /// Pixels of a row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// The original.
    pub before: &'a [u8],
    /// The result, once there is one.
    pub after: Option<&'a [u8]>,
    /// Its confidence, one byte a pixel, to lay over it.
    pub confidence: Option<&'a [u8]>,
}

impl Shown<'_> {
    /// Picture for the screen: `SIDE` rows of `SIDE` pixels of three bytes. `split`, 0 to 1, is the place of the line.
    pub fn draw(&self, zoom: i32, split: f64) -> Vec<u8> {
        let (side, zoom) = (SIDE as usize, usize::try_from(zoom).unwrap_or(1).max(1));
        let (left, top) = (margin(self.width * zoom), margin(self.height * zoom));
        let line = line(split);
        let mut drawn = vec![0; 3 * side * side];
        for (at, pixel) in drawn.chunks_exact_mut(3).enumerate() {
            let (x, y) = (at % side, at / side);
            let inside = |position: usize, margin: usize, length: usize| {
                position.checked_sub(margin).map(|position| position / zoom).filter(|position| *position < length)
            };
            let place = inside(x, left, self.width).zip(inside(y, top, self.height));
            let colour = match place {
                _ if self.after.is_some() && x == line => LINE,
                Some((column, row)) => self.colour(row * self.width + column, x > line, (x / SQUARE + y / SQUARE) % 2),
                None => AROUND,
            };
            pixel.copy_from_slice(&colour);
        }
        drawn
    }

    fn colour(&self, at: usize, right: bool, square: usize) -> [u8; 3] {
        let after = self.after.filter(|_| right);
        let pixels = after.unwrap_or(self.before);
        let Some([colours @ .., alpha]) = pixels.get(4 * at..4 * at + 4) else { return AROUND };
        let mix = |below: u8, above: u8, share: u8| {
            let (below, above, share) = (u32::from(below), u32::from(above), u32::from(share));
            ((below * (255 - share) + above * share + 127) / 255) as u8
        };
        let mut seen = [0, 1, 2].map(|channel| mix(SQUARES[square], colours[channel], *alpha));
        if let Some(confidence) = self.confidence.filter(|_| after.is_some()).and_then(|map| map.get(at)) {
            // So much of it that the picture stays to be seen below.
            let doubt = (u16::from(255 - confidence) * 3 / 4) as u8;
            seen = [0, 1, 2].map(|channel| mix(seen[channel], DOUBT[channel], doubt));
        }
        seen
    }
}

/// The column of the line.
pub fn line(split: f64) -> usize {
    (split.clamp(0.0, 1.0) * f64::from(SIDE - 1)).round() as usize
}

/// Pixels beside a picture that is smaller than the preview.
fn margin(length: usize) -> usize {
    (SIDE as usize).saturating_sub(length) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rectangle(x: i32, y: i32, width: i32, height: i32) -> Rectangle {
        Rectangle { x, y, width, height }
    }

    #[test]
    fn a_part_stays_in_the_layer() {
        let bounds = rectangle(0, 0, 1000, 100);
        assert_eq!(part(bounds, (500, 50), 1, 1), rectangle(372, 0, 256, 100));
        assert_eq!(part(bounds, (-9, 500), 4, 1), rectangle(0, 36, 64, 64));
        assert_eq!(part(bounds, (999, 0), 2, 4), rectangle(968, 0, 32, 32));
    }

    #[test]
    fn a_large_hole_is_shown_with_its_edge() {
        let shown = rectangle(0, 0, 256, 256);
        assert_eq!(centre(rectangle(100, 200, 40, 60), shown, true), (120, 230));
        assert_eq!(centre(rectangle(100, 200, 400, 60), shown, true), (164, 230));
        assert_eq!(centre(rectangle(100, 200, 400, 60), shown, false), (300, 230));
    }

    #[test]
    fn before_is_left_of_the_line_and_after_is_right() {
        let side = SIDE as usize;
        let count = side * side;
        let before: Vec<u8> = [10, 20, 30, 255].repeat(count);
        let after: Vec<u8> = [200, 100, 50, 0].repeat(count);
        let map = vec![255; count];
        let mut shown =
            Shown { width: side, height: side, before: &before, after: Some(&after), confidence: Some(&map) };
        let drawn = shown.draw(1, 0.5);
        let at = |drawn: &[u8], x: usize, y: usize| -> [u8; 3] { drawn[3 * (y * side + x)..][..3].try_into().unwrap() };
        assert_eq!(at(&drawn, 127, 9), [10, 20, 30]);
        assert_eq!(at(&drawn, 128, 9), LINE);
        // Transparent: the squares behind it.
        assert_eq!((at(&drawn, 136, 0), at(&drawn, 144, 0)), ([153; 3], [102; 3]));
        // All is doubted.
        let (opaque, none) = ([200, 100, 50, 255].repeat(count), vec![0; count]);
        (shown.after, shown.confidence) = (Some(&opaque[..]), Some(&none[..]));
        assert_eq!(at(&shown.draw(1, 0.0), 200, 0), [241, 25, 60]);
        // A small picture in the middle, without a line before there is anything to compare.
        let shown = Shown { width: 2, height: 1, before: &before, after: None, confidence: None };
        let drawn = shown.draw(4, 0.5);
        assert_eq!(
            (at(&drawn, 123, 126), at(&drawn, 124, 126), at(&drawn, 131, 129)),
            (AROUND, [10, 20, 30], [10, 20, 30])
        );
        assert_eq!((at(&drawn, 132, 126), at(&drawn, 124, 130)), (AROUND, AROUND));
    }
}
