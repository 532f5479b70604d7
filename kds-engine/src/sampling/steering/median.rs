//! Medians by a sorting network: the same comparisons whatever the values, so that all lanes go through them at once.

use super::lanes::{LANES, Lanes};

/// Finds the median of a fixed number of values, in every lane on its own.
pub(super) struct MedianNetwork {
    comparators: Vec<(u32, u32)>,
    /// Where the one or two middle values come out; the same place twice when there is one.
    middle: [usize; 2],
}

impl MedianNetwork {
    /// The network for `count` ≥ 1 values: Batcher's merge exchange (Knuth, The Art of Computer Programming 5.2.2,
    /// algorithm M), less the comparators that no middle value depends on.
    pub(super) fn new(count: usize) -> Self {
        let middle = [(count - 1) / 2, count / 2];
        let mut needed = vec![false; count];
        middle.iter().for_each(|&index| needed[index] = true);
        let mut comparators = merge_exchange(count);
        comparators.reverse();
        comparators.retain(|&(low, high)| {
            let (low, high) = (low as usize, high as usize);
            let keep = needed[low] || needed[high];
            needed[low] |= keep;
            needed[high] |= keep;
            keep
        });
        comparators.reverse();
        Self { comparators, middle }
    }

    /// The median of `values` in each lane, of an even count the mean of the two middle ones. Reorders `values`.
    #[inline(always)]
    pub(super) fn median(&self, values: &mut [Lanes]) -> Lanes {
        for &(low, high) in &self.comparators {
            let (a, b) = (values[low as usize], values[high as usize]);
            for lane in 0..LANES {
                values[low as usize][lane] = if a[lane] < b[lane] { a[lane] } else { b[lane] };
                values[high as usize][lane] = if a[lane] < b[lane] { b[lane] } else { a[lane] };
            }
        }
        let [a, b] = self.middle.map(|index| values[index]);
        let half = Lanes::splat(0.5);
        half * a + half * b
    }
}

fn merge_exchange(count: usize) -> Vec<(u32, u32)> {
    let mut comparators = Vec::new();
    let top = count.next_power_of_two() / 2;
    let mut p = top;
    while p > 0 {
        let (mut q, mut r, mut d) = (top, 0, p);
        loop {
            comparators.extend((0..count.saturating_sub(d)).filter(|i| i & p == r).map(|i| (i as u32, (i + d) as u32)));
            if q == p {
                break;
            }
            (d, q, r) = (q - p, q / 2, p);
        }
        p /= 2;
    }
    comparators
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network that finds the median of every sequence of zeros and ones finds that of every sequence.
    #[test]
    fn every_sequence_of_zeros_and_ones_has_its_median() {
        for count in 1..=15usize {
            let network = MedianNetwork::new(count);
            for bits in 0..1u32 << count {
                let mut values: Vec<_> = (0..count).map(|i| Lanes::splat((bits >> i & 1) as f32)).collect();
                let zeros = count - bits.count_ones() as usize;
                let at = |index: usize| if index < zeros { 0.0 } else { 1.0 };
                let expected = (at((count - 1) / 2) + at(count / 2)) / 2.0;
                assert_eq!(network.median(&mut values)[0], expected, "{bits:b} of {count}");
            }
        }
    }

    #[test]
    fn lanes_do_not_mix_and_many_values_are_no_problem() {
        let count = 64 * 63 / 2;
        let value = |i: usize, lane: usize| ((i * 7919 + lane * 104_729) % 5003) as f32;
        let mut values: Vec<_> = (0..count).map(|i| Lanes(std::array::from_fn(|lane| value(i, lane)))).collect();
        let median = MedianNetwork::new(count).median(&mut values);
        for lane in 0..LANES {
            let mut sorted: Vec<_> = (0..count).map(|i| value(i, lane)).collect();
            sorted.sort_by(f32::total_cmp);
            assert_eq!(median[lane], (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0);
        }
    }
}
