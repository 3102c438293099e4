//! Sending many small requests without waiting for one another.
//!
//! A request is sent when its future is first polled, and the server works in that order; so each is polled once as
//! it is made, in the order of the steps. From then on all are polled together: the connection holds back every
//! later answer until an earlier one has been taken in, so no request may be waited for alone while
//! others are under way, and nothing is prepared in between.

use super::arrays::ArrayParam;
use super::plan::{Act, WriteStep};
use super::statements::{StatementKind, Statements};
use super::{ApplyError, Drift, delete, merge};
use crate::sink::Session;
use futures_util::TryStreamExt;
use futures_util::stream::FuturesOrdered;
use std::future::{Future, poll_fn, ready};
use std::pin::Pin;
use std::task::Poll;

/// Bytes of parameters that may be under way at once.
const WINDOW_BYTES: usize = 4 << 20;

type Request<'a> = Pin<Box<dyn Future<Output = Result<Drift, ApplyError>> + Send + 'a>>;

/// Does the steps, which must be deletes and array merges. Answers with the drift that each found.
pub(super) async fn run(
    session: &Session,
    statements: &mut Statements,
    steps: &[&WriteStep<'_>],
) -> Result<Vec<Drift>, ApplyError> {
    let mut prepared = Vec::with_capacity(steps.len());
    for step in steps {
        let kind = match step.act {
            Act::Delete => StatementKind::Delete(step.expect),
            Act::MergeArrays | Act::MergeStaged | Act::UpdateInsert | Act::Copy => {
                StatementKind::MergeArrays(step.expect)
            }
        };
        prepared.push(statements.get(session, &step.changes.layout, kind).await?);
    }
    let mut drifts = Vec::with_capacity(steps.len());
    let mut under_way: FuturesOrdered<Request<'_>> = FuturesOrdered::new();
    let mut bytes = 0;
    for (step, statement) in steps.iter().zip(prepared) {
        let deleting = step.act == Act::Delete;
        let params = if deleting { delete::params(session, step)? } else { merge::params(session, step)? };
        bytes += params.iter().map(ArrayParam::len).sum::<usize>();
        let mut request: Request<'_> = if deleting {
            Box::pin(delete::run(session, step, statement, params))
        } else {
            Box::pin(merge::run(session, step, statement, params))
        };
        match poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await {
            Poll::Ready(answer) => under_way.push_back(Box::pin(ready(answer))),
            Poll::Pending => under_way.push_back(request),
        }
        if bytes > WINDOW_BYTES {
            bytes = 0;
            while let Some(drift) = under_way.try_next().await? {
                drifts.push(drift);
            }
        }
    }
    while let Some(drift) = under_way.try_next().await? {
        drifts.push(drift);
    }
    Ok(drifts)
}
