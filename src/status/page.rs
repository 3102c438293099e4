//! The status page: one self-contained HTML document that reloads itself.

use super::words::{self, duration};
use crate::change::status::{Model, Phase, TablePhase, TaskStatus, Time};
use std::fmt::Write;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1c2430;background:#fbfbfa}\
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #e3e5e8;font-variant-numeric:tabular-nums}\
td.n,th.n{text-align:right}.good{color:#12724a}.bad{color:#b3261e}.wait{color:#8a5a00}code{font-size:.85em;word-break:break-all}\
@media(prefers-color-scheme:dark){body{background:#14171c;color:#d9dee6}th,td{border-color:#2b313a}.good{color:#5fd39a}.bad{color:#ff8a80}.wait{color:#f2c063}}";

/// Renders the whole page.
pub fn render(model: &Model, now: Time) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"3\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>rowferry</title><style>{STYLE}</style><h1>rowferry {}</h1><p>up {}</p>",
        escape(&model.version),
        duration(now.seconds_since(model.started))
    );
    for (name, task) in &model.tasks {
        render_task(&mut page, name, task, now);
    }
    page.push_str("<p><a href=\"/api/status\">JSON</a> · <a href=\"/metrics\">metrics</a></p></html>");
    page
}

fn render_task(page: &mut String, name: &str, task: &TaskStatus, now: Time) {
    let class = match task.phase {
        Phase::Synchronizing => "good",
        Phase::Failed { .. } | Phase::Retrying { .. } => "bad",
        Phase::Prechecking
        | Phase::SchemaSync
        | Phase::Snapshot
        | Phase::CatchingUp
        | Phase::Paused
        | Phase::Dropped
        | Phase::Stopped => "wait",
    };
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "<h2>{} <span class=\"{class}\">{}</span></h2><p>{} ({}) → {} ({})<br>{}, {} transactions in {} commits, {} restarts, heard from the source {} ago</p>",
        escape(name),
        task.phase.name(),
        escape(&task.source),
        escape(&task.source_server),
        escape(&task.target),
        escape(&task.target_server),
        words::lag(task),
        task.transactions,
        task.batches,
        task.restarts,
        task.silent_seconds(now).map_or_else(|| "never".to_owned(), duration)
    );
    match &task.phase {
        Phase::Failed { error, remedy } => {
            let _ = write!(page, "<p class=\"bad\">{}</p><p>{}</p>", escape(error), escape(remedy));
        }
        Phase::Retrying { error, attempt } => {
            let _ = write!(page, "<p class=\"bad\">{} (attempt {attempt})</p>", escape(error));
        }
        Phase::Prechecking
        | Phase::SchemaSync
        | Phase::Snapshot
        | Phase::CatchingUp
        | Phase::Synchronizing
        | Phase::Paused
        | Phase::Dropped
        | Phase::Stopped => {}
    }
    if let Some(cause) = task.first_cause() {
        let ago = duration(now.seconds_since(cause.since));
        let (error, remedy) = (escape(&cause.error), escape(&cause.remedy));
        let _ = write!(page, "<p class=\"bad\">what stopped it first, {ago} ago: {error}</p><p>{remedy}</p>");
    }
    if let Some(words) = words::stands(task) {
        let _ = write!(page, "<p class=\"bad\">{}</p>", escape(&words));
    }
    if let Some(words) = words::skipped(task, now) {
        let _ = write!(page, "<p class=\"wait\">{}</p>", escape(&words));
    }
    if let Some(what) = &task.waiting_for {
        let _ = write!(page, "<p class=\"wait\">waits for {}</p>", escape(what));
    }
    if let Some(failed) = &task.not_committed {
        let _ = write!(page, "<p class=\"bad\">not committed yet: {}</p>", escape(&failed.error));
    }
    if let Some(position) = &task.position {
        let _ = write!(page, "<p>applied <code>{}</code></p>", escape(position));
    }
    if let Some(words) = words::not_carried(&task.not_carried) {
        let _ = write!(page, "<p class=\"bad\">{}</p>", escape(&words));
    }
    if let Some(words) = words::not_followed(task) {
        let _ = write!(page, "<p class=\"bad\">{}</p>", escape(&words));
    }
    page.push_str("<table><tr><th>table<th>target<th>state<th class=n>copied<th class=n>of about<th class=n>inserts<th class=n>updates<th class=n>deletes<th class=n>drift<th>compared<th>size</tr>");
    for (table, status) in &task.tables {
        let state = match &status.phase {
            TablePhase::Pending => "pending",
            TablePhase::Snapshotting => "copying",
            TablePhase::CatchingUp => "catching up",
            TablePhase::Streaming => "streaming",
            TablePhase::Parked => "parked",
            TablePhase::Paused => "paused",
            TablePhase::LetGo => "not carried any more",
        };
        let beside = if status.aside { ", beside the others" } else { "" };
        let _ = write!(
            page,
            "<tr><td>{}<td>{}<td>{state}{beside}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n{}>{}<td{}>{}<td>{}</tr>",
            escape(table),
            escape(&status.target),
            status.copied_rows,
            status.estimated_rows,
            status.inserts,
            status.updates,
            status.deletes,
            if status.drift > 0 { " title=\"see drift_example in the JSON\"" } else { "" },
            status.drift,
            if task.verified.get(table).is_some_and(|verified| verified.open() > 0) {
                " class=bad"
            } else {
                ""
            },
            escape(&words::verified(task, table, now).unwrap_or_default()),
            escape(&words::upkeep(&status.upkeep, now).unwrap_or_default())
        );
        if let Some(what) = &status.waiting_for {
            let _ = write!(page, "<tr><td colspan=11 class=wait>waits for {}</tr>", escape(what));
        }
        if let Some(words) = words::paused(status, now) {
            let _ = write!(page, "<tr><td colspan=11 class=wait>{}</tr>", escape(&words));
        }
        if let Some(words) = words::quarantined(status) {
            let _ = write!(page, "<tr><td colspan=11 class=bad>{words}</tr>");
        }
        if let Some(trouble) = &status.trouble {
            let (error, remedy) = (escape(&trouble.error), escape(&trouble.remedy));
            let _ = write!(page, "<tr><td colspan=11><p class=bad>{error}</p><p>{remedy}</p></tr>");
        }
    }
    page.push_str("</table>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::status::{TableStatus, Upkeep};
    use crate::status::{Board, now};

    #[test]
    fn what_servers_say_is_escaped() {
        let board = Board::default();
        board.tell("shop", |task| {
            task.phase = Phase::Failed { error: "<b>&\"".into(), remedy: String::new() };
            task.waiting_for = Some("<xid>".into());
        });
        let page = render(&board.read(), now());
        assert!(page.contains("waits for &lt;xid&gt;"), "{page}");
        assert!(page.contains("&lt;b&gt;&amp;&quot;") && !page.contains("<b>"));
    }

    #[test]
    fn a_tables_growth_is_shown() {
        let board = Board::default();
        let upkeep =
            Upkeep { bytes: 63_149_999, copied_bytes: 51_000_000, dead_rows: 7, ..Upkeep::default() };
        let table = TableStatus {
            target: "shop.t".into(),
            phase: TablePhase::Streaming,
            copied_rows: 0,
            estimated_rows: 0,
            inserts: 0,
            updates: 0,
            deletes: 0,
            drift: 0,
            drift_example: None,
            quarantined: 0,
            quarantined_ever: 0,
            trouble: None,
            paused: None,
            catching_up_from: None,
            waiting_for: None,
            aside: false,
            upkeep,
        };
        board.tell("shop", |task| drop(task.tables.insert("shop.t".into(), table)));
        let page = render(&board.read(), now());
        assert!(page.contains("63.1 MB (51.0 MB when copied), 7 dead rows"), "{page}");
    }
}
