//! What a run has found, counted and in words.

use super::case::Case;
use super::round::Outcome;
use super::statements::Statement;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Counts of statements and of cases.
#[derive(Debug, Default)]
pub struct Report {
    /// Statements that the server took in cases whose outcome counts.
    pub statements: u64,
    equal: (u64, u64),
    gone: u64,
    /// Cases that another case's statement stopped, so that they were played again without it.
    pub stopped_by_others: u64,
    refused: u64,
    told: BTreeMap<String, u64>,
    by_hand: BTreeMap<String, u64>,
    unready: BTreeMap<String, u64>,
    unnamed: BTreeMap<String, u64>,
    /// Cases that are findings.
    pub findings: u64,
    broken: BTreeMap<String, u64>,
}

impl Report {
    /// Counts a case.
    pub fn add(&mut self, case: &Case, outcome: &Outcome) {
        let accepted = case.accepted();
        let count = |reasons: &mut BTreeMap<String, u64>, words: &str| {
            *reasons.entry(reason(case, words)).or_default() += 1;
        };
        match outcome {
            Outcome::Refused => self.refused += 1,
            Outcome::Unready(words) => count(&mut self.unready, words),
            Outcome::Told(words) => {
                self.statements += accepted.max(1);
                count(&mut self.told, words);
            }
            Outcome::ByHand(words) => {
                self.statements += accepted.max(1);
                count(&mut self.by_hand, words);
            }
            Outcome::Unnamed(words) => {
                self.statements += accepted.max(1);
                count(&mut self.unnamed, words);
            }
            Outcome::Equal(_) => {
                self.statements += accepted;
                self.equal.0 += 1;
                self.equal.1 += accepted;
            }
            Outcome::Gone => {
                self.statements += accepted;
                self.gone += 1;
            }
            Outcome::Different(_) | Outcome::Hung(_) => {
                self.statements += accepted.max(1);
                self.findings += 1;
            }
            Outcome::Broken(words) => count(&mut self.broken, words),
        }
    }

    /// One line.
    pub fn line(&self) -> String {
        let sum = |reasons: &BTreeMap<String, u64>| reasons.values().sum::<u64>();
        format!(
            "statements={} EQUAL={} gone={} told={} by_hand={} DIFFERENT={} told_without_name={} stopped_by_others={} refused={} not_carried={} broken={}",
            self.statements,
            self.equal.0,
            self.gone,
            sum(&self.told),
            sum(&self.by_hand),
            self.findings,
            sum(&self.unnamed),
            self.stopped_by_others,
            self.refused,
            sum(&self.unready),
            sum(&self.broken)
        )
    }

    /// Everything, by reason.
    pub fn words(&self) -> String {
        let mut text = format!("{} ({} statements in the cases that are EQUAL)\n", self.line(), self.equal.1);
        for (what, reasons) in [
            ("told", &self.told),
            ("mended by a copy that somebody asked for", &self.by_hand),
            ("told without a name", &self.unnamed),
            ("not carried from the start", &self.unready),
            ("comparison broken", &self.broken),
        ] {
            let mut reasons: Vec<_> = reasons.iter().collect();
            reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            for (reason, count) in reasons {
                let _ = writeln!(text, "  {what}: {count} × {reason}");
            }
        }
        text
    }
}

/// Words without what is only of one case: names, numbers, texts, the statement.
fn reason(case: &Case, words: &str) -> String {
    let mut words = words.split(" Remedy: ").next().unwrap_or_default().to_owned();
    let statements = case.script.steps.iter().flat_map(|step| &step.statements).map(Statement::text);
    for text in statements.filter(|text| text.len() > 8) {
        words = words.replace(&text, "STATEMENT");
        // A long one is cut off.
        let start: String = text.chars().take(100).collect();
        if let Some(place) = words.find(&start) {
            words.truncate(place);
            words.push_str("STATEMENT");
        }
    }
    let mut out = String::new();
    let mut quote = None;
    for c in words.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '`' | '\'' | '"') => {
                quote = Some(c);
                out.push('…');
            }
            (None, '0'..='9') if out.ends_with('#') => {}
            (None, '0'..='9') => out.push('#'),
            (None, c) => out.push(c),
        }
    }
    let mut parts = out.split("column ");
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.find([' ', ',', ':']).map_or("", |end| &part[end..]);
        short.push_str(&format!("column …{rest}"));
    }
    short.chars().take(240).collect()
}
