//! The arithmetic of the fused kernel on a piece of the ensemble that fits the cache.

use kds_parameters::Bandwidth;

use super::{
    kernel::Kernel,
    lanes::{LANES, Lanes},
    median::MedianNetwork,
};

/// What all pieces have in common.
pub(super) struct Move {
    pub(super) kernel: Kernel,
    pub(super) bandwidth: Bandwidth,
    pub(super) strength: f32,
    pub(super) iterations: usize,
    pub(super) patch: usize,
    pub(super) particles: usize,
    /// The pairs i < k, by i and then by k.
    pairs: Vec<(usize, usize)>,
    /// Where the pair of (i, k) stands among `pairs`, for all k ≠ i in turn: [N][N − 1] of (k, position).
    partners: Vec<(usize, usize)>,
    median: MedianNetwork,
}

impl Move {
    pub(super) fn new(steering: &super::Steering, strength: f64, particles: usize) -> Self {
        let pairs: Vec<_> = (0..particles).flat_map(|i| (i + 1..particles).map(move |k| (i, k))).collect();
        let mut partners = vec![Vec::new(); particles];
        for (position, &(i, k)) in pairs.iter().enumerate() {
            partners[i].push((k, position));
            partners[k].push((i, position));
        }
        Self {
            kernel: steering.kernel,
            bandwidth: steering.bandwidth,
            strength: strength as f32,
            iterations: steering.iterations,
            patch: steering.patch,
            particles,
            median: MedianNetwork::new(pairs.len()),
            partners: partners.into_iter().flatten().collect(),
            pairs,
        }
    }

    /// Lanes that describe one place: a distance, later a weight, for each pair, and a step for each particle.
    fn record(&self) -> usize {
        self.pairs.len() + self.particles
    }

    /// Moves the particles in `block`.
    ///
    /// Everything below is inlined into one function for each instruction set, which is how the compiler may use it.
    pub(super) fn apply(&self, block: &mut Block) {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
            fn with_avx512(steering: &Move, block: &mut Block) {
                steering.iterate(block);
            }
            #[target_feature(enable = "avx2")]
            fn with_avx2(steering: &Move, block: &mut Block) {
                steering.iterate(block);
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
            {
                // SAFETY: the processor has these instructions.
                return unsafe { with_avx512(self, block) };
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has these instructions.
                return unsafe { with_avx2(self, block) };
            }
        }
        self.iterate(block);
    }

    #[inline(always)]
    fn iterate(&self, block: &mut Block) {
        let Block { values, records, patches, sorted, old, depth, columns } = block;
        let chunk = *depth * self.particles;
        let used = columns.div_ceil(LANES);
        for _ in 0..self.iterations {
            let places = values[..used * chunk].chunks_exact(chunk);
            for (rows, record) in places.zip(records.chunks_exact_mut(self.record())) {
                self.distances(rows, &mut record[..self.pairs.len()]);
            }
            if self.patch == 1 {
                self.weigh(&mut records[..used * self.record()], sorted);
            } else {
                let patches_used = columns.div_ceil(self.patch).div_ceil(LANES);
                let patches = &mut patches[..patches_used * self.record()];
                self.pool(records, patches, *columns);
                self.weigh(patches, sorted);
                self.expand(patches, records, *columns);
            }
            let places = values[..used * chunk].chunks_exact_mut(chunk);
            for (rows, record) in places.zip(records.chunks_exact(self.record())) {
                self.shift(rows, record, old);
            }
        }
    }

    /// Squared distances of all pairs, summed over `rows` [depth][particle].
    ///
    /// One pair at a time: given the sums of several, the compiler makes vectors of pairs, not of pixels.
    #[inline(always)]
    fn distances(&self, rows: &[Lanes], distances: &mut [Lanes]) {
        for (distance, &(i, k)) in distances.iter_mut().zip(&self.pairs) {
            let mut sum = Lanes::splat(0.0);
            for row in rows.chunks_exact(self.particles) {
                let difference = row[k] - row[i];
                sum = sum + difference * difference;
            }
            *distance = sum;
        }
    }

    /// Sums the distances of columns to those of patches.
    #[inline(always)]
    fn pool(&self, records: &[Lanes], patches: &mut [Lanes], columns: usize) {
        patches.fill(Lanes::splat(0.0));
        for column in 0..columns {
            let patch = column / self.patch;
            let from = &records[column / LANES * self.record()..][..self.pairs.len()];
            let to = &mut patches[patch / LANES * self.record()..][..self.pairs.len()];
            for (to, from) in to.iter_mut().zip(from) {
                to[patch % LANES] += from[column % LANES];
            }
        }
    }

    /// Copies the weights and steps of patches to their columns.
    #[inline(always)]
    fn expand(&self, patches: &[Lanes], records: &mut [Lanes], columns: usize) {
        for column in 0..columns {
            let patch = column / self.patch;
            let from = &patches[patch / LANES * self.record()..][..self.record()];
            let to = &mut records[column / LANES * self.record()..][..self.record()];
            for (to, from) in to.iter_mut().zip(from) {
                to[column % LANES] = from[patch % LANES];
            }
        }
    }

    /// Turns the distances of records into weights, and finds each particle's step, δ / Σ w.
    #[inline(always)]
    fn weigh(&self, records: &mut [Lanes], sorted: &mut [Lanes]) {
        for record in records.chunks_exact_mut(self.record()) {
            self.weigh_one(record, sorted);
        }
    }

    #[inline(always)]
    fn weigh_one(&self, record: &mut [Lanes], sorted: &mut [Lanes]) {
        let (weights, steps) = record.split_at_mut(self.pairs.len());
        let squared_bandwidth = match self.bandwidth {
            Bandwidth::Auto(factor) => {
                sorted.copy_from_slice(weights);
                self.median.median(sorted) * Lanes::splat((factor * factor) as f32)
            }
            Bandwidth::Fixed(width) => Lanes::splat((width * width) as f32),
        };
        // A bandwidth that is zero to the number format moves nothing.
        let mut strength = Lanes::splat(0.0);
        let mut inverse = Lanes::splat(0.0);
        for lane in 0..LANES {
            if squared_bandwidth[lane] >= f32::MIN_POSITIVE {
                strength[lane] = self.strength;
                inverse[lane] = 1.0 / squared_bandwidth[lane];
            }
        }
        steps.fill(Lanes::splat(1.0));
        for (weight, &(i, k)) in weights.iter_mut().zip(&self.pairs) {
            *weight = *weight * inverse;
            self.kernel.weigh(weight);
            for particle in [i, k] {
                steps[particle] = steps[particle] + *weight;
            }
        }
        for step in steps {
            *step = strength / *step;
        }
    }

    /// Moves all particles in `rows` [depth][particle] by their weights. Sums of differences leave particles that agree
    /// exactly where they are.
    #[inline(always)]
    fn shift(&self, rows: &mut [Lanes], record: &[Lanes], old: &mut [Lanes]) {
        let (weights, steps) = record.split_at(self.pairs.len());
        for row in rows.chunks_exact_mut(self.particles) {
            old.copy_from_slice(row);
            for (i, partners) in self.partners.chunks_exact(self.particles - 1).enumerate() {
                let mut sum = Lanes::splat(0.0);
                for &(k, pair) in partners {
                    sum = sum + weights[pair] * (old[k] - old[i]);
                }
                row[i] = old[i] + steps[i] * sum;
            }
        }
    }
}

/// The working memory of one thread: some columns of a band of the ensemble, one patch high.
pub(super) struct Block {
    /// The ensemble, [chunk of columns][depth][particle]; a row of the depth is one channel's pixels in one image row.
    pub(super) values: Vec<Lanes>,
    /// Channels × image rows of the band at hand.
    pub(super) depth: usize,
    /// Columns at hand; the lanes after them hold zeros.
    pub(super) columns: usize,
    records: Vec<Lanes>,
    patches: Vec<Lanes>,
    sorted: Vec<Lanes>,
    old: Vec<Lanes>,
}

impl Block {
    pub(super) fn new(steering: &Move, depth: usize, columns: usize) -> Self {
        let zeros = |count: usize| vec![Lanes::splat(0.0); count];
        let chunks = columns.div_ceil(LANES);
        let patch_chunks = if steering.patch == 1 { 0 } else { columns.div_ceil(steering.patch).div_ceil(LANES) };
        Self {
            values: zeros(chunks * depth * steering.particles),
            depth,
            columns,
            records: zeros(chunks * steering.record()),
            patches: zeros(patch_chunks * steering.record()),
            sorted: zeros(steering.pairs.len()),
            old: zeros(steering.particles),
        }
    }
}
