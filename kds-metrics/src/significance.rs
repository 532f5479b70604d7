//! Significance of the difference of two methods on the same pictures.

/// Result of [`wilcoxon`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedRank {
    /// Differences that are not 0.
    pub count: usize,
    /// The smaller of the sums of the ranks of positive and of negative differences.
    pub statistic: f64,
    /// Chance of a statistic as small as this or smaller if neither method were better.
    pub p: f64,
}

/// Up to so many differences, of which no two are equal, the chance is counted exactly, as scipy does.
const MOST_EXACT: usize = 50;

/// Wilcoxon's signed-rank test, two-sided, of paired differences. Those of 0 do not count. Up to 50 different ones the
/// chance is exact; else it is that of the normal approximation, corrected for ties (scipy's `wilcoxon`). `None` where all
/// are 0 or one is not finite.
pub fn wilcoxon(differences: &[f64]) -> Option<SignedRank> {
    if differences.iter().any(|difference| !difference.is_finite()) {
        return None;
    }
    let mut sorted: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
    sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let count = sorted.len();
    if count == 0 {
        return None;
    }
    let (mut positive, mut negative, mut ties) = (0.0, 0.0, 0.0);
    let mut before = 0;
    for group in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let size = group.len() as f64;
        let rank = before as f64 + (size + 1.0) / 2.0;
        let above = group.iter().filter(|difference| **difference > 0.0).count() as f64;
        positive += rank * above;
        negative += rank * (size - above);
        ties += size.powi(3) - size;
        before += group.len();
    }
    let statistic = f64::min(positive, negative);
    let p = if count <= MOST_EXACT && ties == 0.0 && count == differences.len() {
        exact(count, statistic as usize)
    } else {
        let n = count as f64;
        let deviation = ((n * (n + 1.0) * (2.0 * n + 1.0) - ties / 2.0) / 24.0).sqrt();
        let z = (statistic - n * (n + 1.0) / 4.0) / deviation;
        libm::erfc(-z / std::f64::consts::SQRT_2)
    };
    Some(SignedRank { count, statistic, p: p.min(1.0) })
}

/// Twice the share of all ways to give the ranks 1 to `count` signs whose positive ranks add up to at most `statistic`.
fn exact(count: usize, statistic: usize) -> f64 {
    let mut ways = vec![0.0; count * (count + 1) / 2 + 1];
    ways[0] = 1.0;
    for rank in 1..=count {
        for sum in (rank..ways.len()).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    2.0 * ways.iter().take(statistic + 1).sum::<f64>() / 2f64.powi(count as i32)
}
