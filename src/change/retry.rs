//! What may be done about an error: the one answer every room's error type gives.

/// Whether trying again can help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The cause may pass by itself (a lost connection, a server starting): try again after a pause.
    AfterBackoff,
    /// Somebody has to change something first; `remedy` says what, in a sentence.
    AfterFix {
        /// What the user should do, addressed to the user.
        remedy: String,
    },
    /// Neither time nor the user can mend it without a new version of this program or of its data.
    Never,
}

impl Retry {
    /// Shorthand for [`Retry::AfterFix`].
    pub fn fix(remedy: impl Into<String>) -> Self {
        Self::AfterFix { remedy: remedy.into() }
    }
}
