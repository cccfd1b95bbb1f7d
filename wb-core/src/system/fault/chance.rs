//! Chance that repeats itself: splitmix64.

#[derive(Debug, Clone)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to and with `most`.
    pub(super) fn up_to(&mut self, most: u64) -> u64 {
        let next = self.next();
        most.checked_add(1).map_or(next, |many| next % many)
    }

    /// The same, where the two ends are as likely as all between them.
    pub(super) fn end_or_between(&mut self, most: u64) -> u64 {
        match self.up_to(2) {
            0 => 0,
            1 => most,
            _ => self.up_to(most),
        }
    }
}
