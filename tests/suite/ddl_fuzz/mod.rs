//! Random statements on random tables by random sessions: what the target holds is equal, or the daemon has told.
//!
//! The environment makes it long (`scripts/soak ddl` does): `ROWFERRY_SOAK_DDL_SOURCE`, `_TARGET`, `_STATEMENTS`, `_TABLES`,
//! `_SEED`, `_WIDE` (percent of rounds with statements that may concern every table), `_SHRINK` (how many findings are made small), `_LOG` (a file that gets a line for each round, and beside it one with
//! the findings), `_MARK` (the end of those lines). The seed decides a round; that of the next one follows from it.

mod case;
mod definitions;
mod report;
mod round;
mod server;
mod sessions;
mod shape;
mod shrink;
mod statements;
mod tables;
mod types;
mod values;

use crate::harness::{Postgres, greenplum, postgres};
use crate::load::Dice;
use case::Case;
use futures_util::FutureExt;
use report::Report;
use round::{Ground, Outcome};
use server::Server;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

/// How often cases are played again that others have stopped.
const AGAIN: usize = 4;

/// What is run.
#[derive(Debug)]
struct Run {
    server: Server,
    statements: u64,
    tables: u64,
    seed: u64,
    shrink: u64,
    wide: u64,
    log: Option<String>,
}

fn setting(name: &str) -> Option<String> {
    std::env::var(format!("ROWFERRY_SOAK_DDL_{name}")).ok()
}

fn number(name: &str, default: u64) -> u64 {
    setting(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[tokio::test]
async fn random_statements_are_carried_exactly_or_told() {
    let Some(source) = setting("SOURCE") else {
        // Enough to see that it works; a run by dice is for scripts/soak.
        let run = Run {
            server: Server::Mysql97,
            statements: 1,
            tables: 10,
            seed: 4,
            shrink: 1,
            wide: 0,
            log: None,
        };
        return run.on(postgres().await, "ddl_fuzz").await;
    };
    let own;
    let target = if setting("TARGET").as_deref() == Some("greenplum") {
        let Some(server) = greenplum().await else { return };
        server
    } else {
        own = Postgres::private(&["-c", "max_connections=600"]).await;
        &own
    };
    let run = Run {
        server: Server::named(&source),
        statements: number("STATEMENTS", 500),
        tables: number("TABLES", 40),
        seed: number("SEED", 1),
        shrink: number("SHRINK", 10),
        wide: number("WIDE", 15),
        log: setting("LOG"),
    };
    run.on(target, "ddl_fuzz").await;
}

/// Plays the cases again that were stopped by words about another one's statement, without that one. Gives how many.
async fn play_again(ground: &Ground<'_>, cases: &mut [Case], outcomes: &mut [Outcome]) -> u64 {
    let stopped: Vec<usize> =
        (0..cases.len()).filter(|&place| matches!(outcomes[place], Outcome::Unnamed(_))).collect();
    if stopped.is_empty() || stopped.len() == cases.len() {
        return 0;
    }
    let mut again: Vec<Case> = stopped
        .iter()
        .map(|&place| Case::scripted(cases[place].number, cases[place].script.clone()))
        .collect();
    let played = ground.play(&mut again, Dice::of(1, 1)).await;
    for ((place, case), outcome) in stopped.iter().zip(again).zip(played) {
        cases[*place] = case;
        outcomes[*place] = outcome;
    }
    u64::try_from(stopped.len()).expect("few")
}

/// The seed of the round after this one.
fn next(seed: u64) -> u64 {
    (seed.wrapping_mul(1_103_515_245) + 12_345) % 1_073_741_824
}

impl Run {
    async fn on(mut self, target: &Postgres, name: &str) {
        let mysql = self.server.start().await;
        let ground = Ground { server: self.server, mysql: &mysql, postgres: target, name };
        let mut all = Report::default();
        let mut refused = Vec::new();
        while all.statements < self.statements {
            let start = Instant::now();
            let seed = self.seed;
            // Where one statement may stop all cases few are played at a time.
            let wide = Dice::of(seed, u64::MAX - 1).percent(self.wide);
            let tables = if wide { self.tables.div_ceil(4) } else { self.tables };
            let mut cases: Vec<Case> = (0..tables).map(|number| Case::drawn(seed, number, wide)).collect();
            let round = AssertUnwindSafe(ground.play(&mut cases, Dice::of(seed, u64::MAX)));
            let mut outcomes = match round.catch_unwind().await {
                Ok(outcomes) => outcomes,
                // Servers have faults of their own at statements that nobody issues.
                Err(_) if mysql.has_ended() => {
                    self.note(&format!("given up: the source crashed; seed={seed} {}", self.server.name()));
                    mysql.restart().await;
                    self.seed = next(seed);
                    continue;
                }
                Err(panic) => std::panic::resume_unwind(panic),
            };
            let mut report = Report::default();
            for _ in 0..AGAIN {
                let others = play_again(&ground, &mut cases, &mut outcomes).await;
                report.stopped_by_others += others;
                all.stopped_by_others += others;
                if others == 0 {
                    break;
                }
            }
            for (case, outcome) in cases.iter().zip(&outcomes) {
                report.add(case, outcome);
                all.add(case, outcome);
            }
            self.note(&format!(
                "{} seed={seed} source={} tables={} seconds={:.1} {}",
                report.line(),
                self.server.name(),
                tables,
                start.elapsed().as_secs_f64(),
                setting("MARK").unwrap_or_default()
            ));
            for (case, outcome) in cases.iter().zip(&outcomes) {
                self.tell(&ground, case, outcome).await;
            }
            refused.extend(cases.iter().flat_map(|case| case.refusals.iter().flatten().flatten().cloned()));
            self.seed = next(seed);
        }
        for line in all.words().lines() {
            eprintln!("ddl: {line}");
        }
        eprintln!("ddl: the next seed is {}", self.seed);
        if setting("REFUSALS").is_some() {
            refused.sort();
            for words in refused {
                eprintln!("refused: {words}");
            }
        }
        assert_eq!(all.findings, 0, "statements that lost something without a word");
    }

    /// A finding, made small if there is time for it.
    async fn tell(&mut self, ground: &Ground<'_>, case: &Case, outcome: &Outcome) {
        let (Outcome::Different(words)
        | Outcome::Hung(words)
        | Outcome::Broken(words)
        | Outcome::Unnamed(words)) = outcome
        else {
            return;
        };
        let kind = match outcome {
            Outcome::Different(_) => "DIFFERENT",
            Outcome::Hung(_) => "HUNG",
            Outcome::Broken(_) => "comparison broken",
            _ => "told without name",
        };
        let head = format!("-- {kind}: {} seed {} case {}", self.server.name(), self.seed, case.number);
        let told = |case: &Case, words: &str| format!("{}-- {}\n", case.sql(), words.replace('\n', "\n-- "));
        // What a whole task is like says more than anybody reads.
        let words = &words.chars().take(6_000).collect::<String>();
        let mut text = format!("{head}\n{}", told(case, words));
        if kind == "DIFFERENT" && self.shrink > 0 {
            self.shrink -= 1;
            text = match shrink::smallest(ground, &case.script).await {
                Some((small, Outcome::Different(words))) => format!("{head}\n{}", told(&small, &words)),
                _ => format!("{head}, not alone\n{}", told(case, words)),
            };
        }
        eprintln!("{text}");
        self.append(".findings.sql", &text);
    }

    fn note(&self, line: &str) {
        eprintln!("ddl: {line}");
        self.append("", line);
    }

    fn append(&self, end: &str, text: &str) {
        if let Some(log) = &self.log {
            let file = std::fs::File::options().create(true).append(true).open(format!("{log}{end}"));
            file.and_then(|mut file| writeln!(file, "{text}")).expect("the log can be written");
        }
    }
}
