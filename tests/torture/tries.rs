//! Repetition of a try with random choices, and the report about it.

/// A generator of random numbers, SplitMix64.
pub(crate) struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `limit`, which is above 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// True once in `count` calls.
    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// One of `items`.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// The number in an environment variable.
fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

/// Makes `count` tries (or `GLUE_TUI_TORTURE_TRIES`) of `once`, which returns what it did, as a word for the report, or
/// what went wrong. Panics after the last try if one went wrong.
pub(crate) fn repeat(name: &str, count: u64, once: impl Fn(&mut Rng) -> Result<&'static str, String>) {
    let seed = variable("GLUE_TUI_TORTURE_SEED").unwrap_or(1);
    let only = variable("GLUE_TUI_TORTURE_ONLY");
    let count = variable("GLUE_TUI_TORTURE_TRIES").unwrap_or(count);
    let mut done = std::collections::BTreeMap::<&str, u64>::new();
    let mut failed = 0;
    for number in only.map_or(0..count, |only| only..only + 1) {
        let mut rng = Rng(seed.wrapping_mul(0x1_0000_0001).wrapping_add(number));
        match once(&mut rng) {
            Ok(what) => *done.entry(what).or_default() += 1,
            Err(problem) => {
                failed += 1;
                eprintln!("GLUE_TUI_TORTURE_SEED={seed} GLUE_TUI_TORTURE_ONLY={number} {name}: {problem}");
            }
        }
    }
    let done: Vec<String> = done.iter().map(|(what, count)| format!("{count} {what}")).collect();
    println!("{name}, seed {seed}: {}, {failed} failed", done.join(", "));
    assert!(failed == 0, "{failed} of {count} tries failed, see above");
}
