//! A small reproducible number source (SplitMix64, a public-domain algorithm).

/// Increment of the SplitMix64 counter.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// Numbers that depend on the seed alone.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Starts a sequence.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `low..=high`; `low` when the bounds are crossed.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        let width = u64::from(high.saturating_sub(low)) + 1;
        let step = u32::try_from(self.next() % width).unwrap_or(0);
        low.saturating_add(step)
    }

    /// One element of a non-empty list.
    pub(crate) fn pick<T: Copy>(&mut self, list: &[T], fallback: T) -> T {
        let len = u64::try_from(list.len()).unwrap_or(1).max(1);
        let at = usize::try_from(self.next() % len).unwrap_or(0);
        list.get(at).copied().unwrap_or(fallback)
    }
}
