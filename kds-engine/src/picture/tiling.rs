//! Cutting a picture into overlapping tiles, and blending them again without a seam.

/// One tile of a picture, in input pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Left to right.
    pub x: Span,
    /// Top to bottom.
    pub y: Span,
}

/// The tiles of a picture of `width x height` (multiples of `align`), row by row. Tiles are at most `side` (a multiple
/// of `align`) along each axis, overlap by at least `overlap`, and start at multiples of `align`.
pub fn tiles(width: usize, height: usize, side: usize, overlap: usize, align: usize) -> Vec<Tile> {
    grid(&spans(width, side, overlap, align), &spans(height, side, overlap, align))
}

fn grid(columns: &[Span], rows: &[Span]) -> Vec<Tile> {
    rows.iter().flat_map(|y| columns.iter().map(|x| Tile { x: x.clone(), y: y.clone() })).collect()
}

impl Tile {
    /// The longer side.
    pub fn side(&self) -> usize {
        self.x.length.max(self.y.length)
    }

    /// Number of input pixels.
    pub fn area(&self) -> usize {
        self.x.length * self.y.length
    }

    /// Smaller tiles in its place: at most `side` along each axis, as [`tiles`]. Together they have the shares of this one.
    pub fn split(&self, side: usize, overlap: usize, align: usize) -> Vec<Tile> {
        grid(&self.x.split(side, overlap, align), &self.y.split(side, overlap, align))
    }
}

/// One tile's extent along one axis, with the places where it is blended with its neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// First pixel.
    pub start: usize,
    /// Number of pixels.
    pub length: usize,
    /// How it is blended with its neighbours: one tiling within the other, where a tile has been split.
    fades: Vec<Fade>,
}

/// Where a tile fades in and out, as positions along the axis of the whole picture; `None` at the edge of what was cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fade {
    rising: Option<(usize, usize)>,
    /// The next tile rises there.
    falling: Option<(usize, usize)>,
}

impl Span {
    fn whole(length: usize) -> Self {
        Self { start: 0, length, fades: Vec::new() }
    }

    fn split(&self, side: usize, overlap: usize, align: usize) -> Vec<Self> {
        let within = |part: Self| {
            let moved = |ramp: Option<(usize, usize)>| ramp.map(|(from, to)| (from + self.start, to + self.start));
            let fades = part.fades.iter().map(|fade| Fade { rising: moved(fade.rising), falling: moved(fade.falling) });
            let fades = self.fades.iter().copied().chain(fades).collect();
            Self { start: self.start + part.start, length: part.length, fades }
        };
        spans(self.length, side, overlap, align).into_iter().map(within).collect()
    }

    /// The share that this tile has in each of its output pixels along the axis, `length * scale` values. At every
    /// position of the picture the shares of all tiles add up to 1.
    pub fn weights(&self, scale: usize) -> Vec<f32> {
        let first = self.start * scale;
        let share = |position: usize| {
            let shares = self.fades.iter().map(|fade| {
                let risen = fade.rising.map_or(1.0, |ramp| rise(position, ramp, scale));
                let fallen = fade.falling.map_or(0.0, |ramp| rise(position, ramp, scale));
                risen - fallen
            });
            shares.product()
        };
        (first..first + self.length * scale).map(share).collect()
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

/// Length of the tiles along an axis of this length: no tile is larger than an even share of the picture asks for.
pub(crate) fn span_length(length: usize, side: usize, overlap: usize, align: usize) -> usize {
    let count = span_count(length, side, overlap, align);
    let overlap = overlap.min(side.saturating_sub(align));
    (length + (count - 1) * overlap).div_ceil(count).next_multiple_of(align).min(side)
}

fn spans(length: usize, side: usize, overlap: usize, align: usize) -> Vec<Span> {
    if length <= side {
        return vec![Span::whole(length)];
    }
    let count = span_count(length, side, overlap, align);
    let share = span_length(length, side, overlap, align);
    let overlap = overlap.min(side.saturating_sub(align));
    let last = length - share;
    let mut spans: Vec<Span> = (0..count)
        .map(|index| {
            let start = (last * index).div_ceil(count - 1).next_multiple_of(align).min(last);
            Span { start, length: share, fades: vec![Fade::default()] }
        })
        .collect();
    for index in 1..count {
        // The ramp lies in the middle of what two neighbours share: next to a tile's edge its network saw padding.
        let (begin, end) = (spans[index].start, spans[index - 1].start + share);
        let shared = end.saturating_sub(begin);
        let (centre, half) = (begin + shared / 2, shared.min(overlap) / 4);
        let ramp = (centre - half, centre + half);
        spans[index - 1].fades[0].falling = Some(ramp);
        spans[index].fades[0].rising = Some(ramp);
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
                let (begin, end) = pair[1].fades[0].rising.unwrap();
                prop_assert!(begin >= pair[1].start + overlap / 4);
                prop_assert!(end <= pair[0].start + pair[0].length - overlap / 4);
                prop_assert_eq!(pair[0].fades[0].falling, pair[1].fades[0].rising);
            }
        }

        #[test]
        fn a_split_tile_keeps_its_share(
            blocks in 1usize..100, side in 2usize..40, smaller in 2usize..20, overlap in 0usize..64, scale in 1usize..4,
        ) {
            let align = 4;
            for span in spans(blocks * align, side * align, overlap, align) {
                let whole = span.weights(scale);
                let mut total = vec![0f32; whole.len()];
                for part in span.split(smaller * align, overlap, align) {
                    prop_assert!(part.length <= (smaller * align).max(align) && part.start % align == 0);
                    let first = (part.start - span.start) * scale;
                    for (offset, weight) in part.weights(scale).into_iter().enumerate() {
                        prop_assert!((-1e-6..=1.0 + 1e-6).contains(&weight), "{weight}");
                        total[first + offset] += weight;
                    }
                }
                for (total, whole) in total.iter().zip(&whole) {
                    prop_assert!((total - whole).abs() < 1e-5, "{total} {whole}");
                }
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
