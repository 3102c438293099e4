//! Where in a server's log a stream is taken up after a checkpoint: at the place in its files, or by the GTIDs of what is taken in.
//!
//! What must never happen here: a place in one server's files taken for one in another's, or in a file of the same name that is another
//! one.

use super::TaskError;
use crate::change::remedy::{AtSource, Connect, Remedy};
use crate::change::{FilePosition, Position, Taken};

/// How a stream is taken up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resume {
    /// Where it starts.
    pub start: Position,
    /// The checkpoint is of the same server.
    pub same_server: bool,
    /// The server passes over transactions that the checkpoint includes (MariaDB), so that for a while the stream's place is before
    /// the checkpoint's.
    pub passes_over: bool,
}

impl Resume {
    /// How a stream of `server` is taken up after `checkpoint`; `file_begun` is when the file that it lies in was begun there.
    ///
    /// # Errors
    /// When the checkpoint means nothing on that server.
    pub fn after(checkpoint: &Position, server: &str, file_begun: Option<u32>) -> Result<Self, TaskError> {
        let mut start = checkpoint.clone();
        let same_server = start.server == server;
        if !same_server && start.taken == Taken::Files {
            return Err(TaskError::Stream {
                why: format!(
                    "the source is another server now ({server} instead of {}), and a place in one server's files means nothing on another",
                    start.server
                ),
                position: start.to_string(),
                remedy: Connect::Same.or(Remedy::copy_task()).also(AtSource::LiveWithGtids),
            });
        }
        if !same_server {
            server.clone_into(&mut start.server);
            // A place in the other server's files.
            start.xa.seen_until = None;
        }
        let by_place = match start.taken {
            Taken::Files => true,
            // What lies before the set's place may still be to come (logged but not executed when it was recorded): only the stream
            // itself tells where in the files it is.
            Taken::Gtids(_) => false,
            // If the file is there no more by now the server says so, and the next attempt asks anew.
            Taken::Domains(_) => same_server && start.file_begun.is_some() && file_begun == start.file_begun,
        };
        if !by_place {
            start.file = FilePosition { file: "".into(), offset: 0 };
            start.file_begun = None;
        }
        let passes_over = !by_place && matches!(start.taken, Taken::Domains(_));
        Ok(Self { start, same_server, passes_over })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::XaState;

    fn at(taken: Taken) -> Position {
        let file = FilePosition { file: "b.000007".into(), offset: 900 };
        let xa = XaState { seen_until: Some(file.clone()), ..XaState::default() };
        Position { server: "a".into(), file, file_begun: Some(17), taken, xa }
    }

    fn domains() -> Taken {
        Taken::Domains("0-1-50".parse().unwrap())
    }

    fn gtids() -> Taken {
        Taken::Gtids("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5".parse().unwrap())
    }

    #[test]
    fn a_place_is_gone_on_from_on_its_own_server_only() {
        let resumed = Resume::after(&at(Taken::Files), "a", Some(17)).unwrap();
        assert_eq!(resumed, Resume { start: at(Taken::Files), same_server: true, passes_over: false });
        let refused = Resume::after(&at(Taken::Files), "b", Some(17)).unwrap_err().to_string();
        assert!(refused.contains("another server now (b instead of a)"), "{refused}");
    }

    #[test]
    fn domains_are_gone_on_from_at_their_place_while_the_file_is_the_same_one() {
        let same = Resume::after(&at(domains()), "a", Some(17)).unwrap();
        assert_eq!((same.start, same.passes_over), (at(domains()), false));
        for begun in [Some(18), None] {
            let other = Resume::after(&at(domains()), "a", begun).unwrap();
            assert!(other.passes_over && other.same_server, "{begun:?}");
            assert_eq!((&*other.start.file.file, other.start.file_begun), ("", None));
        }
        // A file of the same name and time is another one on another server.
        let elsewhere = Resume::after(&at(domains()), "b", Some(17)).unwrap();
        assert!(elsewhere.passes_over && !elsewhere.same_server);
        assert_eq!((&*elsewhere.start.server, elsewhere.start.xa.seen_until), ("b", None));
    }

    #[test]
    fn gtids_are_gone_on_from_without_a_place_and_pass_over_nothing() {
        for server in ["a", "b"] {
            let resumed = Resume::after(&at(gtids()), server, Some(17)).unwrap();
            assert!(!resumed.passes_over);
            assert_eq!((&*resumed.start.file.file, &resumed.start.taken), ("", &gtids()));
        }
    }
}
