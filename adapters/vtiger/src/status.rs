//! How a call stands, in the words of each module.

use crate::settings::Settings;

/// The states, and their words in PBXManager (and modules of one's own) and in Events.
const WORDS: [(&str, &str, &str); 11] = [
    ("ringing", "ringing", "Planned"),
    ("withdrawn", "no-response", "Planned"),
    ("in-progress", "in-progress", "Planned"),
    ("answered", "completed", "Held"),
    ("no-answer", "no-answer", "Not Held"),
    ("busy", "busy", "Not Held"),
    ("declined", "busy", "Not Held"),
    ("failed", "no-response", "Not Held"),
    ("abandoned", "no-answer", "Not Held"),
    ("voicemail", "no-answer", "Not Held"),
    ("unknown", "completed", "Held"),
];

/// What is written for a state. An outcome that is not on the list is written as it is.
pub fn word(settings: &Settings, state: &str) -> String {
    if let Some(word) = settings.statuses.get(state) {
        return word.clone();
    }
    let known = WORDS.iter().find(|(name, _, _)| *name == state);
    match (known, settings.module.as_str()) {
        (Some((_, _, word)), "Events") => (*word).to_owned(),
        (None, "Events") => "Held".to_owned(),
        (Some((_, word, _)), _) => (*word).to_owned(),
        (None, _) => state.to_owned(),
    }
}

/// Every word that may be written.
pub fn words(settings: &Settings) -> Vec<String> {
    let mut words: Vec<String> = WORDS.iter().map(|(state, _, _)| word(settings, state)).collect();
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_can_be_set() {
        let events = Settings { module: "Events".into(), ..Settings::default() };
        assert_eq!(word(&events, "no-answer"), "Not Held");
        assert_eq!(words(&events), ["Held", "Not Held", "Planned"]);
        let own = Settings { statuses: [("answered".to_owned(), "Erledigt".to_owned())].into(), ..Settings::default() };
        assert_eq!(word(&own, "answered"), "Erledigt");
        assert_eq!(word(&own, "new-outcome"), "new-outcome");
    }
}
