//! The attribution of the newest prediction to the words of the text.

use crate::predict::Attributions;

/// A sentence, or two of them.
pub(in crate::tui) type Texts = (String, Option<String>);

/// What the newest answer rests on, as far as it is known.
#[derive(Debug, Default)]
pub struct Attribution {
    /// The newest question, with what was typed.
    pub(in crate::tui) pending: Option<(u64, Texts)>,
    pub(in crate::tui) found: Option<Found>,
}

/// An attribution that was computed.
#[derive(Debug)]
pub(in crate::tui) struct Found {
    pub(in crate::tui) texts: Texts,
    pub(in crate::tui) seconds: f64,
    /// When it was found, in seconds since 1970.
    pub(in crate::tui) at: f64,
    pub(in crate::tui) result: Result<Attributions, String>,
}

impl Attribution {
    /// While a run is being trained, the same text is attributed again only after this many times the seconds that
    /// it took, so that the training loses at most that share of its time.
    const PAUSE: f64 = 20.0;

    /// Prepares the attribution of `texts` for a request; returns whether it is needed, or known well enough.
    pub fn request(&mut self, request_id: u64, texts: Texts, is_live: bool, now: f64) -> bool {
        let is_known =
            |found: &Found| found.texts == texts && now < found.at + Attribution::PAUSE * found.seconds;
        if is_live && self.found.as_ref().is_some_and(is_known) {
            return false;
        }
        self.pending = Some((request_id, texts));
        true
    }

    /// Takes over what an answer rests on, unless something else was request_id meanwhile.
    pub fn insert(&mut self, request_id: u64, seconds: f64, result: Result<Attributions, String>, at: f64) {
        if let Some((_, texts)) = self.pending.take_if(|(number, _)| *number == request_id) {
            self.found = Some(Found { texts, seconds, at, result });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_attributed_again_only_after_a_pause() {
        let mut attribution = Attribution::default();
        let texts = || ("good".to_string(), None);
        assert!(attribution.request(1, texts(), true, 0.0));
        attribution.insert(1, 0.5, Err("x".into()), 0.5);
        assert!(!attribution.request(2, texts(), true, 9.0));
        assert!(attribution.request(3, texts(), true, 10.6), "after twenty times what it took");
        assert!(attribution.request(4, texts(), false, 10.7), "weights on disk cost no training");
        assert!(attribution.request(5, ("bad".into(), None), true, 10.8));
        attribution.insert(4, 0.5, Ok(Attributions { label: "a".into(), words: Vec::new() }), 11.0);
        assert!(
            attribution.found.as_ref().is_some_and(|found| found.result.is_err()),
            "the older one is dropped"
        );
    }
}
