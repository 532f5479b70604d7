//! Cutting a picture into overlapping tiles, and blending them again without a seam.

/// One tile of a picture, in input pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Left to right.
    pub x: Span,
    /// Top to bottom.
    pub y: Span,
}

/// The tiles of a picture of `width x height` (multiples of `align`), row by row. Tiles are at most `side` (a multiple
/// of `align`) along each axis, overlap by at least `overlap`, and start at multiples of `align`.
pub fn tiles(width: usize, height: usize, side: usize, overlap: usize, align: usize) -> Vec<Tile> {
    let columns = spans(width, side, overlap, align);
    let rows = spans(height, side, overlap, align);
    rows.iter().flat_map(|&y| columns.iter().map(move |&x| Tile { x, y })).collect()
}

/// One tile's extent along one axis, with the places where it is blended with its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First pixel.
    pub start: usize,
    /// Number of pixels.
    pub length: usize,
    /// Where this tile fades in, as positions along the axis of the whole picture; `None` at the picture's edge.
    fade_in: Option<(usize, usize)>,
    /// Where it fades out; the next tile fades in there.
    fade_out: Option<(usize, usize)>,
}

impl Span {
    /// The share that this tile has in each of its output pixels along the axis, `length * scale` values. At every
    /// position of the picture the shares of all tiles add up to 1.
    pub fn weights(&self, scale: usize) -> Vec<f32> {
        let first = self.start * scale;
        (first..first + self.length * scale)
            .map(|position| {
                let risen = self.fade_in.map_or(1.0, |ramp| rise(position, ramp, scale));
                let fallen = self.fade_out.map_or(0.0, |ramp| rise(position, ramp, scale));
                risen - fallen
            })
            .collect()
    }

    /// The share that this tile has in each of its cells of `downscale` pixels along the axis.
    pub fn weights_below(&self, downscale: usize) -> Vec<f32> {
        let mean = |cell: &[f32]| cell.iter().sum::<f32>() / cell.len() as f32;
        self.weights(1).chunks(downscale).map(mean).collect()
    }
}

/// 0 before the ramp, 1 after it, linear through the pixel centres between; a ramp of no length is a step.
fn rise(position: usize, (from, to): (usize, usize), scale: usize) -> f32 {
    if from == to {
        return if position < from * scale { 0.0 } else { 1.0 };
    }
    let (from, to) = ((from * scale) as f32, (to * scale) as f32);
    ((position as f32 + 0.5 - from) / (to - from)).clamp(0.0, 1.0)
}

/// Number of tiles along an axis of this length.
pub(crate) fn span_count(length: usize, side: usize, overlap: usize, align: usize) -> usize {
    if length <= side {
        return 1;
    }
    let overlap = overlap.min(side.saturating_sub(align));
    (length - overlap).div_ceil(side - overlap)
}

fn spans(length: usize, side: usize, overlap: usize, align: usize) -> Vec<Span> {
    if length <= side {
        return vec![Span { start: 0, length, fade_in: None, fade_out: None }];
    }
    let count = span_count(length, side, overlap, align);
    let overlap = overlap.min(side.saturating_sub(align));
    // No tile is larger than an even share of the picture asks for.
    let share = (length + (count - 1) * overlap).div_ceil(count).next_multiple_of(align).min(side);
    let last = length - share;
    let mut spans: Vec<Span> = (0..count)
        .map(|index| {
            let start = (last * index).div_ceil(count - 1).next_multiple_of(align).min(last);
            Span { start, length: share, fade_in: None, fade_out: None }
        })
        .collect();
    for index in 1..count {
        // The ramp lies in the middle of what two neighbours share: next to a tile's edge its network saw padding.
        let (begin, end) = (spans[index].start, spans[index - 1].start + share);
        let shared = end.saturating_sub(begin);
        let (centre, half) = (begin + shared / 2, shared.min(overlap) / 4);
        let ramp = (centre - half, centre + half);
        spans[index - 1].fade_out = Some(ramp);
        spans[index].fade_in = Some(ramp);
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_add_up_to_one_everywhere(
            blocks in 1usize..200, side in 2usize..40, overlap in 0usize..64, align in 1usize..9, scale in 1usize..5,
        ) {
            let (length, side) = (blocks * align, (side * align).max(2));
            let spans = spans(length, side, overlap, align);
            let mut total = vec![0f32; length * scale];
            for span in &spans {
                prop_assert!(span.length <= side && span.start % align == 0);
                prop_assert!(span.length % align == 0 && span.start + span.length <= length);
                for (offset, weight) in span.weights(scale).into_iter().enumerate() {
                    prop_assert!((-1e-6..=1.0 + 1e-6).contains(&weight), "{weight}");
                    total[span.start * scale + offset] += weight;
                }
            }
            prop_assert!(total.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{total:?}");
        }

        #[test]
        fn neighbours_overlap_and_ignore_their_edges(blocks in 1usize..500, side in 12usize..40) {
            let (align, overlap) = (4, 32);
            let spans = spans(blocks * align, side * align, overlap, align);
            for pair in spans.windows(2) {
                let shared = pair[0].start + pair[0].length - pair[1].start;
                prop_assert!(shared >= overlap, "{shared}");
                let (begin, end) = pair[1].fade_in.unwrap();
                prop_assert!(begin >= pair[1].start + overlap / 4);
                prop_assert!(end <= pair[0].start + pair[0].length - overlap / 4);
                prop_assert_eq!(pair[0].fade_out, pair[1].fade_in);
            }
        }
    }

    #[test]
    fn a_picture_that_fits_is_one_tile() {
        let all = tiles(64, 48, 64, 32, 4);
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].x.length, all[0].y.length), (64, 48));
        assert!(all[0].x.weights(2).iter().all(|weight| *weight == 1.0));
    }
}
