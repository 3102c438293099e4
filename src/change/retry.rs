//! What may be done about an error: the one answer every room's error type gives.

use super::remedy::Remedy;

/// Whether trying again can help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The cause may pass by itself (a lost connection, a server starting): try again after a pause.
    AfterBackoff,
    /// Somebody has to change something first.
    AfterFix {
        /// What.
        remedy: Remedy,
    },
    /// Neither time nor the user can mend it without a new version of this program or of its data.
    Never,
}

impl Retry {
    /// Shorthand for [`Retry::AfterFix`].
    pub fn fix(remedy: impl Into<Remedy>) -> Self {
        Self::AfterFix { remedy: remedy.into() }
    }

    /// What helps.
    pub fn remedy(self) -> Remedy {
        match self {
            Self::AfterFix { remedy } => remedy,
            Self::AfterBackoff => super::remedy::Restart::Later.into(),
            Self::Never => super::remedy::Report::This.into(),
        }
    }
}
