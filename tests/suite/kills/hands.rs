//! Differences that no reader of the log sees, made on purpose while a run goes on: the comparison that goes on for ever is to find and
//! repair each, and nothing else.

use crate::harness::{DEADLINE, Scene, eventually, pause};
use crate::load::{Dice, Origin};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The tables in which differences are made.
pub const TABLES: [&str; 2] = ["handled", "brood"];

/// Rows of `handled` at first: hands change the odd ones, a writer the even ones.
const ROWS: u64 = 4_000;

/// A difference is to be repaired within so long, however often what looks for it is killed.
const LONGEST: Duration = Duration::from_secs(1_800);

/// How somebody makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hand {
    WritesUnlogged,
    DeletesUnlogged,
    ChangesUnlogged,
    RemovesInTarget,
    AddsInTarget,
    ChangesInTarget,
    /// A parent goes, and with it its child, of which the log says nothing.
    Cascades,
}

const HANDS: [Hand; 7] = [
    Hand::WritesUnlogged,
    Hand::ChangesInTarget,
    Hand::DeletesUnlogged,
    Hand::RemovesInTarget,
    Hand::ChangesUnlogged,
    Hand::AddsInTarget,
    Hand::Cascades,
];

/// The keys whose cascades are accepted, for the config: of texts, which the target cannot follow.
pub fn accepted(scene: &Scene<'_>) -> String {
    format!("[\"{}.brood.brood_fk\"]", scene.source.name)
}

/// What was made, and how long it lasted.
#[derive(Debug, Default)]
pub struct Made(BTreeMap<Hand, Vec<Duration>>);

impl Made {
    fn and(mut self, other: Self) -> Self {
        for (hand, lasted) in other.0 {
            self.0.entry(hand).or_default().extend(lasted);
        }
        self
    }

    /// How many differences were made.
    pub fn count(&self) -> u64 {
        self.0.values().map(|each| u64::try_from(each.len()).unwrap_or(u64::MAX)).sum()
    }

    /// In words, beside the time within which a difference is to be found.
    pub fn summary(&self, stated: Duration) -> String {
        let mut text =
            format!("differences made by hand, each found and repaired (stated: within {stated:.0?}):");
        for (hand, lasted) in &self.0 {
            let (mut lasted, late) =
                (lasted.clone(), lasted.iter().filter(|lasted| **lasted > stated).count());
            lasted.sort();
            let at = |index: usize| lasted.get(index).copied().unwrap_or_default();
            let (median, longest) = (at(lasted.len() / 2), at(lasted.len().saturating_sub(1)));
            let _ = write!(
                text,
                "\n  {hand:?} {}×, after {median:.1?} (median), {longest:.1?} (longest), {late} later than stated",
                lasted.len()
            );
        }
        text
    }
}

/// Makes one difference after the other until `stop`, beside a writer of the same tables.
pub async fn work(scene: &Scene<'_>, origin: Origin, seed: u64, stop: &AtomicBool) -> Made {
    let values: Vec<String> = (1..=ROWS).map(|id| format!("({id}, 'row {id}', {id})")).collect();
    scene
        .source
        .sql(&format!(
            "CREATE TABLE handled (id INT PRIMARY KEY, v VARCHAR(40), w INT) ENGINE = InnoDB; INSERT INTO handled VALUES {}; \
             CREATE TABLE hen (id INT PRIMARY KEY, name VARCHAR(20) UNIQUE) DEFAULT CHARSET = latin1 ENGINE = InnoDB; \
             CREATE TABLE brood (id INT PRIMARY KEY, v VARCHAR(40), w INT, hen VARCHAR(20), CONSTRAINT brood_fk FOREIGN KEY (hen) \
             REFERENCES hen (name) ON DELETE CASCADE) DEFAULT CHARSET = latin1 ENGINE = InnoDB",
            values.join(", ")
        ))
        .await;
    let ended = AtomicBool::new(false);
    let making = async {
        let some = async |part| {
            Hands { scene, dice: Dice::of(seed, 70 + part), part, written: None, number: 0 }
                .work(origin, stop)
                .await
        };
        let made = <[Made; 3]>::from(tokio::join!(some(0), some(1), some(2)));
        ended.store(true, Relaxed);
        made.into_iter().fold(Made::default(), Made::and)
    };
    let (made, ()) = tokio::join!(making, writes(scene, Dice::of(seed, 78), &ended));
    made
}

/// Logged changes of the rows that no hand comes to; the server may be away.
async fn writes(scene: &Scene<'_>, mut dice: Dice, ended: &AtomicBool) {
    while !ended.load(Relaxed) {
        let Ok(mut session) = scene.source.try_session().await else {
            pause(Duration::from_millis(500)).await;
            continue;
        };
        while !ended.load(Relaxed) {
            let id = 2 * (1 + dice.below(ROWS / 2));
            if session.try_sql(&format!("UPDATE handled SET w = w + 1 WHERE id = {id}")).await.is_err() {
                break;
            }
            pause(Duration::from_millis(25)).await;
        }
    }
}

struct Hands<'scene, 'servers> {
    scene: &'scene Scene<'servers>,
    dice: Dice,
    /// Which third of the rows is theirs.
    part: u64,
    /// The last row that was written unlogged, until it is deleted so.
    written: Option<u64>,
    number: u64,
}

impl Hands<'_, '_> {
    async fn work(mut self, origin: Origin, stop: &AtomicBool) -> Made {
        let mut made = Made::default();
        // The tables have come when these rows have.
        self.wait_equal("handled", ROWS).await;
        while !stop.load(Relaxed) {
            self.number += 1;
            let hand = HANDS[usize::try_from(self.number).unwrap_or(0) % HANDS.len()];
            if hand == Hand::Cascades && matches!(origin, Origin::Mysql97 | Origin::Mysql97Files) {
                continue;
            }
            if let Some(lasted) = self.difference(hand).await {
                made.0.entry(hand).or_default().push(lasted);
            }
            pause(Duration::from_millis(self.dice.below(4_000))).await;
        }
        made
    }

    /// Makes a difference and waits until there is none; gives how long it lasted, `None` when it could not be made.
    async fn difference(&mut self, hand: Hand) -> Option<Duration> {
        let odd = 2 * (3 * self.dice.below(ROWS / 6) + self.part) + 1;
        let (new, number) = (1_000_000 * (1 + self.part) + self.number, self.number);
        let target = |table: &str| format!("{}.{table}", self.scene.source.name);
        let unlogged = |sql: String| format!("SET sql_log_bin = 0; {sql}");
        let (table, id, at_source, sql) = match hand {
            Hand::WritesUnlogged => {
                self.written = Some(new);
                ("handled", new, true, unlogged(format!("INSERT INTO handled VALUES ({new}, 'unlogged', 1)")))
            }
            Hand::DeletesUnlogged => {
                let id = self.written.take()?;
                ("handled", id, true, unlogged(format!("DELETE FROM handled WHERE id = {id}")))
            }
            Hand::ChangesUnlogged => {
                let sql = format!("UPDATE handled SET v = 'unlogged {number}' WHERE id = {odd}");
                ("handled", odd, true, unlogged(sql))
            }
            Hand::RemovesInTarget => {
                ("handled", odd, false, format!("DELETE FROM {} WHERE id = {odd}", target("handled")))
            }
            Hand::AddsInTarget => (
                "handled",
                new,
                false,
                format!("INSERT INTO {} VALUES ({new}, 'hand', 1)", target("handled")),
            ),
            Hand::ChangesInTarget => {
                let sql = format!("UPDATE {} SET w = -{number} WHERE id = {odd}", target("handled"));
                ("handled", odd, false, sql)
            }
            Hand::Cascades => {
                let family = format!(
                    "INSERT INTO hen VALUES ({new}, '{new}'); INSERT INTO brood VALUES ({new}, 'child', {new}, '{new}')"
                );
                self.scene.source.try_sql(&family).await.ok()?;
                self.wait_equal("brood", new).await;
                ("brood", new, true, format!("DELETE FROM hen WHERE id = {new}"))
            }
        };
        let made = if at_source {
            self.scene.source.try_sql(&sql).await.map(|_| ())
        } else {
            self.scene.target.try_sql(&sql).await.map(|_| ())
        };
        // The server may have died under it, before or after it was done.
        let begun = Instant::now();
        let equal = self.equal(table, id).await;
        self.wait_equal(table, id).await;
        (made.is_ok() && equal == Some(false)).then(|| begun.elapsed())
    }

    async fn wait_equal(&self, table: &str, id: u64) {
        // A target that is asked all the time is another target.
        let what = format!("row {id} of {table} is equal");
        let begun = Instant::now();
        while self.equal(table, id).await != Some(true) {
            assert!(begun.elapsed() < LONGEST, "not within {LONGEST:?}: {what}");
            pause(Duration::from_millis(200)).await;
        }
    }

    /// Whether both sides have the same row of that key, or none; `None` while one of them does not answer.
    async fn equal(&self, table: &str, id: u64) -> Option<bool> {
        let query = |table: &str| format!("SELECT id, v, w FROM {table} WHERE id = {id}");
        let source = self.scene.source.try_sql(&query(table)).await.ok()?;
        let target =
            self.scene.target.try_sql(&query(&format!("{}.{table}", self.scene.source.name))).await.ok()?;
        Some(source == target)
    }
}

/// Waits until nothing that was made is left.
pub async fn wait_done(done: &AtomicBool) {
    let what = "every difference that was made is found";
    eventually(LONGEST + DEADLINE, what, async || done.load(Relaxed)).await;
}
