//! Reliability of a map of doubt: the errors that go with it.
//!
//! A map says of each pixel how doubtful it is. Against the errors of pictures with known truth it is judged by Pearson's
//! correlation, by the sparsification curve (the mean error that is left when the most doubtful pixels are taken away; Ilg et
//! al., ECCV 2018), by the mean error at each doubt, and by the worst error below each doubt, of which
//! [`threshold`] makes a conformal one.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Doubts are told apart in so many steps between 0 and 1.
const BINS: usize = 256;
/// Shares of the pixels, the most doubtful, that a sparsification curve takes away.
pub const TAKEN_AWAY: [f64; 10] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/// Grey levels: no error is worse.
const WORST: f64 = 255.0;

/// Doubts and errors of one picture, or of several together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Step by step of the doubt.
    bins: Vec<Bin>,
    /// Pearson's correlation of doubt and error, both as means over a window; the mean over the pictures.
    pub correlation: f64,
    /// Mean absolute error, in grey levels, with each of [`TAKEN_AWAY`]; the mean over the pictures.
    pub sparsification: Vec<f64>,
    /// The same where the pixels of the largest errors are taken away: no map can do better.
    pub oracle: Vec<f64>,
    /// Worst error below each step of the doubt, picture by picture: the largest mean over a window.
    worst: Vec<Vec<f32>>,
}

/// Pixels of one step of the doubt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Bin {
    pixels: f64,
    doubts: f64,
    errors: f64,
}

/// Mean doubt and mean error of a group of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// Share of all pixels.
    pub share: f64,
    /// Mean doubt, 0 to 1.
    pub doubt: f64,
    /// Mean absolute error, grey levels.
    pub error: f64,
}

impl Reliability {
    /// That of one picture: `doubts` has a value in 0..1 for each pixel, `counts` says which pixels count, `window` is the
    /// odd side of the windows over which errors are means.
    ///
    /// # Errors
    /// [`Error::Sizes`] for pictures of different sizes.
    pub fn of(
        restored: &RgbImage,
        truth: &RgbImage,
        doubts: &[f32],
        counts: impl Fn(usize) -> bool,
        window: usize,
    ) -> Result<Self> {
        let (width, height) = (truth.width() as usize, truth.height() as usize);
        if restored.dimensions() != truth.dimensions() || doubts.len() != width * height {
            return Err(Error::Sizes(truth.width(), truth.height(), restored.width(), restored.height()));
        }
        let errors: Vec<f32> = restored
            .pixels()
            .zip(truth.pixels())
            .map(|(a, b)| a.0.iter().zip(b.0).map(|(a, b)| f32::from(a.abs_diff(b))).sum::<f32>() / 3.0)
            .collect();
        let local = window_means(&errors, width, window);
        let local_doubts = window_means(doubts, width, window);
        let counted: Vec<usize> = (0..errors.len()).filter(|index| counts(*index)).collect();

        let mut bins = vec![Bin::default(); BINS];
        let mut worst = vec![0f32; BINS];
        for &index in &counted {
            let step = (f64::from(doubts[index]).clamp(0.0, 1.0) * (BINS - 1) as f64).round() as usize;
            let bin = &mut bins[step];
            bin.pixels += 1.0;
            bin.doubts += f64::from(doubts[index]);
            bin.errors += f64::from(errors[index]);
            worst[step] = worst[step].max(local[index]);
        }
        for step in 1..BINS {
            worst[step] = worst[step].max(worst[step - 1]);
        }
        let of = |values: &[f32]| counted.iter().map(|index| f64::from(values[*index])).collect::<Vec<_>>();
        let errors = of(&errors);
        Ok(Self {
            bins,
            correlation: correlation(&of(&local_doubts), &of(&local)),
            sparsification: sparsification(&errors, &of(doubts)),
            oracle: sparsification(&errors, &errors),
            worst: vec![worst],
        })
    }

    /// Several pictures together; nothing for none.
    pub fn together(pictures: &[Self]) -> Option<Self> {
        let count = pictures.len() as f64;
        let mut all = pictures.first()?.clone();
        for picture in &pictures[1..] {
            for (bin, more) in all.bins.iter_mut().zip(&picture.bins) {
                bin.pixels += more.pixels;
                bin.doubts += more.doubts;
                bin.errors += more.errors;
            }
            all.worst.extend(picture.worst.iter().cloned());
        }
        let mean = |curve: fn(&Self) -> &[f64]| -> Vec<f64> {
            let at = |index| pictures.iter().map(|picture| curve(picture)[index]).sum::<f64>() / count;
            (0..TAKEN_AWAY.len()).map(at).collect()
        };
        all.correlation = pictures.iter().map(|picture| picture.correlation).sum::<f64>() / count;
        (all.sparsification, all.oracle) = (mean(|picture| &picture.sparsification), mean(|picture| &picture.oracle));
        Some(all)
    }

    /// The pixels in groups of rising doubt that end at these shares of all pixels, the last at 1. Groups without pixels are
    /// left out.
    pub fn groups(&self, ends: &[f64]) -> Vec<Group> {
        let total: f64 = self.bins.iter().map(|bin| bin.pixels).sum();
        let mut groups = Vec::new();
        let (mut group, mut seen) = (Bin::default(), 0.0);
        let mut ends = ends.iter().peekable();
        for (step, bin) in self.bins.iter().enumerate() {
            group.pixels += bin.pixels;
            group.doubts += bin.doubts;
            group.errors += bin.errors;
            seen += bin.pixels;
            let full = ends.peek().is_some_and(|end| seen >= **end * total) || step == BINS - 1;
            if full && group.pixels > 0.0 {
                let Bin { pixels, doubts, errors } = std::mem::take(&mut group);
                groups.push(Group { share: pixels / total, doubt: doubts / pixels, error: errors / pixels });
                while ends.next_if(|end| seen >= **end * total).is_some() {}
            }
        }
        groups
    }

    /// The largest doubt up to which the worst error of a picture stays, in the mean over pictures, at most `level` grey
    /// levels: (sum of the worst errors + 255) / (pictures + 1) ≤ level, which holds for the next picture too where it is
    /// exchangeable with these (conformal risk control, Angelopoulos et al., arXiv 2208.02814, equation 4). Nothing where even
    /// the least doubtful pixels are worse.
    pub fn threshold(&self, level: f64) -> Option<f64> {
        let count = self.worst.len() as f64;
        let risk = |step: usize| self.worst.iter().map(|worst| f64::from(worst[step])).sum::<f64>();
        let below = |step: &usize| (risk(*step) + WORST) / (count + 1.0) <= level;
        (0..BINS).take_while(below).last().map(|step| step as f64 / (BINS - 1) as f64)
    }

    /// Mean over the pictures of the worst error among pixels of at most this doubt, and the share of those pixels.
    pub fn worst_below(&self, doubt: f64) -> (f64, f64) {
        let step = ((doubt.clamp(0.0, 1.0) * (BINS - 1) as f64) + 1e-9).floor() as usize;
        let worst = self.worst.iter().map(|worst| f64::from(worst[step])).sum::<f64>() / self.worst.len() as f64;
        let pixels = |bins: &[Bin]| bins.iter().map(|bin| bin.pixels).sum::<f64>();
        (worst, pixels(&self.bins[..=step]) / pixels(&self.bins).max(1.0))
    }
}

/// Errors that do not fall with the doubt: the nearest such means in the sense of least squares, by pooling adjacent
/// violators (isotonic regression). `groups` are in order of their doubt.
pub fn isotonic(groups: &[Group]) -> Vec<Group> {
    // Runs of groups with a common error: number, share, error.
    let mut pools: Vec<(usize, f64, f64)> = Vec::new();
    for group in groups {
        pools.push((1, group.share, group.error));
        while let [.., (_, _, before), (_, _, last)] = pools[..]
            && before > last
            && let (Some(b), Some(a)) = (pools.pop(), pools.pop())
        {
            let share = a.1 + b.1;
            pools.push((a.0 + b.0, share, (a.1 * a.2 + b.1 * b.2) / share));
        }
    }
    let errors = pools.iter().flat_map(|(count, _, error)| std::iter::repeat_n(*error, *count));
    groups.iter().zip(errors).map(|(group, error)| Group { error, ..*group }).collect()
}

/// Means over windows of this odd side, smaller at the border.
fn window_means(values: &[f32], width: usize, window: usize) -> Vec<f32> {
    let height = values.len() / width.max(1);
    let radius = window / 2;
    // Sums over all above and to the left.
    let mut sums = vec![0f64; (width + 1) * (height + 1)];
    for y in 0..height {
        for x in 0..width {
            let here = f64::from(values[y * width + x]);
            let index = (y + 1) * (width + 1) + x + 1;
            sums[index] = here + sums[index - 1] + sums[index - width - 1] - sums[index - width - 2];
        }
    }
    let mut means = Vec::with_capacity(values.len());
    for y in 0..height {
        for x in 0..width {
            let (top, bottom) = (y.saturating_sub(radius), (y + radius + 1).min(height));
            let (left, right) = (x.saturating_sub(radius), (x + radius + 1).min(width));
            let at = |y: usize, x: usize| sums[y * (width + 1) + x];
            let sum = at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left);
            means.push((sum / ((bottom - top) * (right - left)) as f64) as f32);
        }
    }
    means
}

/// Pearson's; 0 where one of the two is constant.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |term: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| term(a - mean_a, b - mean_b)).sum::<f64>();
    let (both, of_a, of_b) = (sum(&|a, b| a * b), sum(&|a, _| a * a), sum(&|_, b| b * b));
    if of_a * of_b > 0.0 { both / (of_a * of_b).sqrt() } else { 0.0 }
}

fn sparsification(errors: &[f64], doubts: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..errors.len()).collect();
    order.sort_by(|a, b| doubts[*a].total_cmp(&doubts[*b]));
    let left = |share: f64| {
        let count = (((1.0 - share) * errors.len() as f64).round() as usize).max(1).min(errors.len());
        order[..count].iter().map(|index| errors[*index]).sum::<f64>() / count.max(1) as f64
    };
    TAKEN_AWAY.iter().map(|share| left(*share)).collect()
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// Grey pictures in a row of pixels: truth 0, and errors.
    fn judged(errors: &[u8], doubts: &[f32]) -> Reliability {
        let width = errors.len() as u32;
        let restored = RgbImage::from_fn(width, 1, |x, _| Rgb([errors[x as usize]; 3]));
        Reliability::of(&restored, &RgbImage::new(width, 1), doubts, |_| true, 1).unwrap()
    }

    #[test]
    fn doubt_that_follows_the_error_is_perfect() {
        let errors: Vec<u8> = (0..100).collect();
        let doubts: Vec<f32> = errors.iter().map(|error| f32::from(*error) / 100.0).collect();
        let found = judged(&errors, &doubts);
        assert!((found.correlation - 1.0).abs() < 1e-6);
        assert_eq!(found.sparsification, found.oracle);
        // Means of 0..=99, 0..=89, ...
        assert!((found.sparsification[0] - 49.5).abs() < 1e-9 && (found.sparsification[9] - 4.5).abs() < 1e-9);
        let against: Vec<f32> = doubts.iter().map(|doubt| 1.0 - doubt).collect();
        assert!((judged(&errors, &against).correlation + 1.0).abs() < 1e-6);
    }

    #[test]
    fn groups_hold_equal_shares_and_isotonic_regression_pools_those_that_fall() {
        let groups = judged(&[10, 10, 4, 4, 20, 20], &[0.1, 0.1, 0.2, 0.2, 0.6, 0.6]).groups(&[0.33, 0.66, 1.0]);
        assert_eq!(groups.iter().map(|group| group.error).collect::<Vec<_>>(), [10.0, 4.0, 20.0]);
        assert!((groups[1].doubt - 0.2).abs() < 1e-6 && (groups[1].share - 1.0 / 3.0).abs() < 1e-9);
        let rising: Vec<f64> = isotonic(&groups).iter().map(|group| group.error).collect();
        assert!(rising.iter().zip([7.0, 7.0, 20.0]).all(|(found, mean)| (found - mean).abs() < 1e-9), "{rising:?}");
    }

    #[test]
    fn the_threshold_keeps_the_worst_error_at_the_level() {
        // 99 pictures: worst errors 5 up to a doubt of 0.2, 50 beyond.
        let picture = judged(&[5, 50], &[0.2, 0.6]);
        let all = Reliability::together(&vec![picture; 99]).unwrap();
        // (99 * 5 + 255) / 100 = 7.5; (99 * 50 + 255) / 100 = 52.05
        assert!(all.threshold(7.4).unwrap() < 0.2);
        let threshold = all.threshold(7.5).unwrap();
        assert!((0.55..0.6).contains(&threshold), "{threshold}");
        assert_eq!(all.threshold(52.1), Some(1.0));
        assert_eq!(all.threshold(2.0), None);
        assert_eq!(all.worst_below(threshold), (5.0, 0.5));
        assert_eq!(all.worst_below(1.0), (50.0, 1.0));
    }

    #[test]
    fn means_over_windows_are_those_of_their_pixels() {
        let values: Vec<f32> = (0..7 * 5).map(|index| ((index * 7919) % 101) as f32).collect();
        let found = window_means(&values, 7, 3);
        for (index, mean) in found.iter().enumerate() {
            let (x, y) = (index as i32 % 7, index as i32 / 7);
            let near = |other: i32| (other % 7 - x).abs() <= 1 && (other / 7 - y).abs() <= 1;
            let window: Vec<f32> = (0..35).filter(|other| near(*other)).map(|other| values[other as usize]).collect();
            assert!((mean - window.iter().sum::<f32>() / window.len() as f32).abs() < 1e-3, "{index}");
        }
    }
}
