//! The attribution of the newest prediction to the words of the text.

use crate::predict::Attributions;

/// A text, or a pair of texts.
pub(in crate::tui) type Texts = (String, Option<String>);

/// The word attributions of the newest prediction, once they are computed.
#[derive(Debug, Default)]
pub struct Attribution {
    /// The request that is pending, with its texts.
    pub(in crate::tui) pending: Option<(u64, Texts)>,
    pub(in crate::tui) computed: Option<ComputedAttribution>,
}

/// An attribution that was computed.
#[derive(Debug)]
pub(in crate::tui) struct ComputedAttribution {
    pub(in crate::tui) texts: Texts,
    /// Seconds that the computation took.
    pub(in crate::tui) seconds: f64,
    /// When it was computed, in seconds since 1970.
    pub(in crate::tui) computed_at: f64,
    pub(in crate::tui) result: Result<Attributions, String>,
}

impl Attribution {
    /// While a run is being trained, the same text is attributed again only after this many times the seconds that
    /// it took, so that the training loses at most that share of its time.
    const PAUSE: f64 = 20.0;

    /// Registers a request for the attribution of `texts`; returns false if a recent one can be used instead.
    pub fn request(&mut self, request_id: u64, texts: Texts, is_live: bool, now: f64) -> bool {
        let is_known = |last: &ComputedAttribution| {
            last.texts == texts && now < last.computed_at + Attribution::PAUSE * last.seconds
        };
        if is_live && self.computed.as_ref().is_some_and(is_known) {
            return false;
        }
        self.pending = Some((request_id, texts));
        true
    }

    /// Takes the attribution of a request, unless a later request has replaced it.
    pub fn insert(&mut self, request_id: u64, seconds: f64, result: Result<Attributions, String>, now: f64) {
        if let Some((_, texts)) = self.pending.take_if(|(number, _)| *number == request_id) {
            self.computed = Some(ComputedAttribution { texts, seconds, computed_at: now, result });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_text_is_attributed_again_only_after_a_pause() {
        let mut attribution = Attribution::default();
        let texts = || ("good".to_string(), None);
        assert!(attribution.request(1, texts(), true, 0.0));
        attribution.insert(1, 0.5, Err("x".into()), 0.5);
        assert!(!attribution.request(2, texts(), true, 9.0));
        assert!(attribution.request(3, texts(), true, 10.6), "after 20 times the computation time");
        assert!(attribution.request(4, texts(), false, 10.7), "a model on disk does not slow down training");
        assert!(attribution.request(5, ("bad".into(), None), true, 10.8));
        attribution.insert(4, 0.5, Ok(Attributions { label: "a".into(), words: Vec::new() }), 11.0);
        assert!(
            attribution.computed.as_ref().is_some_and(|last| last.result.is_err()),
            "the result of a replaced request is dropped"
        );
    }
}
