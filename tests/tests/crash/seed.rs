//! Choices that can be repeated.

/// A row of numbers that look random (SplitMix64).
#[derive(Clone, Debug)]
pub struct Seed {
    start: u64,
    state: u64,
}

impl Seed {
    /// From `CORDBOARD_SEED`, else from the clock.
    pub fn of_the_day() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let said = std::env::var("CORDBOARD_SEED").ok();
        Self::new(said.map_or(now.as_millis() as u64, |said| said.parse().expect("CORDBOARD_SEED is a number")))
    }

    pub fn new(start: u64) -> Self {
        Self { start, state: start }
    }

    pub fn start(&self) -> u64 {
        self.start
    }

    /// One for somebody else.
    pub fn another(&mut self) -> Self {
        Self::new(self.next())
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
