//! Sending many small requests without waiting for one another.
//!
//! A request is sent when its future is first polled, and the server answers in order; so each is polled once as
//! it is made, in the order of the steps, and then they are waited for in that order.
//!
//! What must never happen here: waiting for a request while the answer to one before it, which may be long, is taken by
//! nobody: the connection would wait for it to be taken, and both for ever. So statements are prepared before the first
//! request is sent.

use super::arrays::ArrayParam;
use super::plan::{Act, Step};
use super::statements::{Kind, Statements};
use super::{ApplyError, Drift, delete, merge};
use crate::sink::Session;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Bytes of parameters that may be under way at once.
const WINDOW_BYTES: usize = 4 << 20;

type Request<'a> = Pin<Box<dyn Future<Output = Result<Drift, ApplyError>> + Send + 'a>>;

/// A request, its answer if that came at once, and the bytes of its parameters.
struct Sent<'a> {
    request: Request<'a>,
    answer: Option<Result<Drift, ApplyError>>,
    bytes: usize,
}

/// Does the steps, which must be deletes and array merges. Answers with the drift that each found.
pub(super) async fn run(
    session: &Session,
    statements: &mut Statements,
    steps: &[&Step<'_>],
) -> Result<Vec<Drift>, ApplyError> {
    let mut prepared = Vec::with_capacity(steps.len());
    for step in steps {
        let deleting = step.act == Act::Delete;
        let kind = if deleting { Kind::Delete(step.expect) } else { Kind::MergeArrays(step.expect) };
        prepared.push((deleting, statements.get(session, &step.changes.layout, kind).await?));
    }
    let mut drifts = Vec::with_capacity(steps.len());
    let mut under_way: VecDeque<Sent<'_>> = VecDeque::with_capacity(steps.len());
    let mut bytes = 0;
    for (step, (deleting, statement)) in steps.iter().zip(prepared) {
        let params = if deleting { delete::params(session, step)? } else { merge::params(session, step)? };
        let size: usize = params.iter().map(ArrayParam::len).sum();
        let mut request: Request<'_> = if deleting {
            Box::pin(delete::run(session, step, statement, params))
        } else {
            Box::pin(merge::run(session, step, statement, params))
        };
        let answer = poll_fn(|context| {
            Poll::Ready(match request.as_mut().poll(context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            })
        })
        .await;
        bytes += size;
        under_way.push_back(Sent { request, answer, bytes: size });
        while bytes > WINDOW_BYTES
            && let Some(sent) = under_way.pop_front()
        {
            bytes -= sent.bytes;
            drifts.push(sent.wait().await?);
        }
    }
    for sent in under_way {
        drifts.push(sent.wait().await?);
    }
    Ok(drifts)
}

impl Sent<'_> {
    async fn wait(self) -> Result<Drift, ApplyError> {
        match self.answer {
            Some(answer) => answer,
            None => self.request.await,
        }
    }
}
