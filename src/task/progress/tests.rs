//! What is told of a task at explicit times, as its parts take their steps. Readiness is judged by what the page judges it by.

use super::*;
use crate::change::prepared::XaState;
use crate::change::status::{TableStatus, Upkeep};
use crate::change::{FilePosition, Taken};
use crate::sink::store::UpkeepRecord;
use crate::status::not_ready;

/// A task, the board's status of it, and the clock.
struct Scene {
    progress: TaskProgress,
    status: TaskStatus,
    now: Time,
}

impl Scene {
    /// A task that carries these tables of database `shop`, each into one of its name, and follows the log.
    fn of(tables: &[(&str, TablePhase)]) -> Self {
        let now = at(1_000);
        let mut scene = Self { progress: TaskProgress::new(now), status: TaskStatus::new(now), now };
        scene.carry(&tables.iter().map(|(name, phase)| (*name, *name, *phase)).collect::<Vec<_>>());
        scene.progress.follows(position(100).to_string(), now);
        scene.look();
        scene
    }

    /// A task that follows the log with all its tables and has what the source has.
    fn ready() -> Self {
        let mut scene = Self::of(&[("a", TablePhase::Streaming), ("b", TablePhase::Streaming)]);
        scene.progress.takes_in(End::Nothing, true, scene.now);
        assert_eq!(scene.why(), None);
        scene
    }

    /// Source and target tables.
    fn carry(&mut self, tables: &[(&str, &str, TablePhase)]) {
        self.status.tables = tables.iter().map(|(name, ..)| (source(name).to_string(), empty())).collect();
        let tables = tables.iter().map(|(name, into, phase)| (source(name), target(into), *phase));
        self.progress.carries(tables.collect());
    }

    fn wait(&mut self, seconds: u64) {
        self.now = at(self.now.seconds() + seconds);
    }

    fn look(&mut self) {
        self.progress.looks(None, self.now);
    }

    /// A batch is durable that ends there.
    fn commit(&mut self, offset: u64, caught_up: &[&str], work: bool) {
        let caught_up: Vec<TableName> = caught_up.iter().map(|name| source(name)).collect();
        let position = &position(offset);
        let source_micros = self.now.micros();
        let committed = Committed { position, source_micros, caught_up: &caught_up, work };
        self.progress.commits(&committed, self.now);
    }

    fn fail_to_commit(&mut self, until: Option<u64>) {
        let until = until.map(|offset| position(offset).file);
        self.progress.cannot_commit(NotCommitted { error: "disk full".to_owned(), until });
    }

    fn retry(&mut self) {
        self.progress.retries("gone".to_owned(), 1, None, self.now);
    }

    /// What the board says now.
    fn told(&mut self) -> &TaskStatus {
        self.progress.tell(&mut self.status);
        self.status.lag_millis = self.status.lag(self.now);
        &self.status
    }

    fn phase(&mut self) -> &'static str {
        self.told().phase.name()
    }

    /// Why it is not ready, if it is not.
    fn why(&mut self) -> Option<String> {
        let now = self.now;
        not_ready(self.told(), now)
    }

    fn upkeep(&mut self, name: &str) -> Upkeep {
        self.told().tables[&source(name).to_string()].upkeep.clone()
    }
}

fn at(seconds: u64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn source(name: &str) -> TableName {
    TableName::new("shop", name)
}

fn target(name: &str) -> TargetName {
    TargetName { schema: "shop".to_owned(), table: name.to_owned() }
}

fn position(offset: u64) -> Position {
    let file = FilePosition { file: "b.000001".into(), offset };
    Position { server: "s".into(), file, file_begun: None, taken: Taken::Files, xa: XaState::default() }
}

fn empty() -> TableStatus {
    TableStatus {
        target: String::new(),
        phase: TablePhase::Pending,
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
        upkeep: Upkeep::default(),
    }
}

#[test]
fn a_task_is_not_synchronizing_before_every_table_streams() {
    for behind in [TablePhase::Pending, TablePhase::Snapshotting, TablePhase::CatchingUp] {
        let mut scene = Scene::of(&[("a", TablePhase::Streaming), ("b", behind)]);
        scene.progress.takes_in(End::Nothing, true, scene.now);
        // A copy that only comes up with what it has met is a copy.
        let phase = if behind == TablePhase::Snapshotting { "Snapshot" } else { "CatchingUp" };
        assert_eq!((scene.phase(), scene.why().as_deref()), (phase, Some(phase)));
        scene.commit(200, &[], true);
        scene.look();
        assert_eq!(scene.phase(), phase, "a batch that does not reach P1");
        scene.commit(300, &["b"], true);
        assert_eq!(scene.phase(), phase, "before it is looked at");
        scene.look();
        assert_eq!(scene.phase(), "Synchronizing");
        assert_eq!(scene.told().tables["shop.b"].phase, TablePhase::Streaming);
    }
}

#[test]
fn the_way_of_a_new_task() {
    let mut scene = Scene::of(&[]);
    scene.progress = TaskProgress::new(at(1_000));
    assert_eq!(scene.phase(), "Prechecking");
    scene.progress.makes_targets(at(1_001));
    scene.carry(&[("a", "a", TablePhase::Snapshotting), ("b", "b", TablePhase::Streaming)]);
    assert_eq!(scene.phase(), "SchemaSync");
    scene.progress.copies(at(1_002));
    scene.wait(9);
    scene.progress.copies_rows(7);
    assert_eq!((scene.phase(), scene.told().since, scene.told().lag_millis), ("Snapshot", 1_002, None));
    scene.progress.records_p1(&[source("a")], scene.now);
    assert_eq!((scene.phase(), scene.told().since), ("CatchingUp", 1_009));
    let phases: Vec<TablePhase> = scene.told().tables.values().map(|table| table.phase).collect();
    assert_eq!(phases, [TablePhase::CatchingUp, TablePhase::Streaming]);
}

#[test]
fn all_of_the_source_is_there_only_when_no_unit_waits() {
    let mut scene = Scene::of(&[("a", TablePhase::Streaming)]);
    assert!(scene.why().is_some_and(|why| why.contains("not known yet")));
    scene.progress.takes_in(End::Nothing, false, scene.now);
    assert!(scene.why().is_some_and(|why| why.contains("not known yet")), "a unit waits for the applier");
    scene.progress.takes_in(End::Pause, true, scene.now);
    assert!(scene.why().is_some_and(|why| why.contains("not known yet")), "the source only pauses");
    scene.progress.takes_in(End::Nothing, true, scene.now);
    assert_eq!((scene.why(), scene.told().lag_millis), (None, Some(0)));

    let committed = End::Transaction(scene.now.micros());
    scene.progress.receives(committed);
    scene.progress.takes_in(committed, false, scene.now);
    scene.wait(3);
    scene.progress.hears(scene.now);
    scene.progress.takes_in(End::Nothing, false, scene.now);
    assert_eq!(scene.told().lag_millis, Some(3_000), "a unit waits for the applier");
    scene.wait(120);
    scene.progress.hears(scene.now);
    assert!(scene.why().is_some_and(|why| why.contains("123 s ago")));
    scene.commit(200, &[], true);
    assert_eq!((scene.why(), scene.told().lag_millis), (None, Some(0)));
}

#[test]
fn what_was_passed_over_is_as_late_as_the_source_committed_it() {
    let mut scene = Scene::of(&[("a", TablePhase::Streaming)]);
    let before = at(scene.now.seconds() - 7).micros();
    scene.progress.receives(End::Transaction(before));
    scene.progress.takes_in(End::Transaction(before), true, scene.now);
    assert_eq!(scene.told().lag_millis, Some(7_000));
    scene.progress.takes_in(End::Transaction(0), true, scene.now);
    assert_eq!(scene.told().lag_millis, Some(7_000), "a source that does not say when");
}

#[test]
fn a_task_is_not_ready_before_the_batch_that_failed_is_durable() {
    let mut scene = Scene::ready();
    scene.fail_to_commit(Some(500));
    assert!(scene.why().is_some_and(|why| why.contains("disk full")));
    scene.retry();
    scene.progress.prechecks(scene.now);
    scene.progress.follows(position(100).to_string(), scene.now);
    scene.look();
    assert!(scene.why().is_some_and(|why| why.contains("disk full")), "it was not tried again yet");
    scene.progress.takes_in(End::Nothing, false, scene.now);
    scene.commit(400, &[], true);
    assert!(scene.why().is_some_and(|why| why.contains("disk full")), "a batch that ends before it");
    scene.commit(500, &[], true);
    assert_eq!(scene.why(), None);

    scene.fail_to_commit(Some(900));
    scene.progress.takes_in(End::Nothing, true, scene.now);
    assert_eq!(scene.why(), None, "the source has nothing further, and all of it is durable");
}

#[test]
fn a_piece_that_failed_is_behind_the_first_batch_with_work() {
    let mut scene = Scene::ready();
    scene.fail_to_commit(None);
    scene.commit(800, &[], false);
    assert!(scene.why().is_some_and(|why| why.contains("disk full")), "only a checkpoint");
    scene.commit(900, &[], true);
    assert_eq!(scene.why(), None);
}

#[test]
fn a_restart_begins_not_ready() {
    let mut scene = Scene::ready();
    scene.wait(1);
    scene.retry();
    assert_eq!((scene.why().as_deref(), scene.told().lag_millis), (Some("Retrying: gone"), None));
    scene.wait(1);
    scene.progress.prechecks(scene.now);
    assert_eq!((scene.why().as_deref(), scene.told().since), (Some("Prechecking"), 1_002));
    scene.progress.hears(scene.now);
    assert_eq!(scene.told().lag_millis, None, "the stream does not run");
    // It goes on where it was: what was known of that place holds, but not that it is all.
    scene.progress.follows(position(100).to_string(), scene.now);
    scene.look();
    assert_eq!((scene.phase(), scene.told().lag_millis), ("Synchronizing", Some(2_000)));
    // Another place than the last attempt left, as after a copy that started over.
    scene.retry();
    scene.progress.follows(position(50).to_string(), scene.now);
    scene.look();
    assert_eq!((scene.phase(), scene.told().lag_millis), ("Synchronizing", None));
    assert!(scene.why().is_some_and(|why| why.contains("not known yet")));
}

#[test]
fn lag_is_not_known_while_the_source_is_silent() {
    let mut scene = Scene::ready();
    scene.wait(SILENT_SECONDS);
    scene.look();
    assert_eq!((scene.told().lag_millis, scene.told().waiting_for.clone()), (Some(0), None));
    scene.wait(1);
    scene.progress.looks(Some("a lock".to_owned()), scene.now);
    assert_eq!(scene.told().lag_millis, None);
    let silent = "the source, of which nothing was heard for 6 s";
    assert_eq!(scene.told().waiting_for.as_deref(), Some(silent), "rather than a lock");
    assert!(scene.why().is_some_and(|why| why.contains("nothing heard")));
    scene.progress.hears(scene.now);
    scene.progress.looks(Some("a lock".to_owned()), scene.now);
    assert_eq!(scene.told().waiting_for.as_deref(), Some("a lock"));
    assert_eq!((scene.why(), scene.told().lag_millis), (None, Some(0)));
}

#[test]
fn an_attempt_got_somewhere_when_a_row_is_durable() {
    let mut scene = Scene::ready();
    assert!(!scene.progress.got_somewhere());
    scene.commit(200, &[], false);
    assert!(!scene.progress.got_somewhere(), "a checkpoint alone");
    scene.progress.applies(&target("of_nobody"), 1, 0);
    assert!(scene.progress.got_somewhere());
    scene.retry();
    assert!(scene.progress.got_somewhere(), "until the next attempt begins");
    scene.progress.begins_attempt(scene.now);
    assert!(!scene.progress.got_somewhere());
    scene.progress.copies_rows(1);
    assert!(scene.progress.got_somewhere());
}

#[test]
fn what_a_phase_waits_for_goes_with_it() {
    let mut scene = Scene::of(&[]);
    let words = |text: &str| Some(text.to_owned());
    scene.progress.prechecks(scene.now);
    scene.progress.waits_for(words("source"));
    scene.progress.waits_for(words("target"));
    scene.progress.waited_for("source", false);
    assert_eq!(scene.told().waiting_for, words("target"), "which another step waits for");
    scene.wait(5);
    scene.progress.prechecks(scene.now);
    assert_eq!((scene.told().waiting_for.clone(), scene.told().since), (words("target"), 1_000));
    scene.progress.waited_for("another word of it", true);
    assert_eq!(scene.told().waiting_for, None);
    scene.progress.waits_for(words("target"));
    scene.progress.copies(scene.now);
    assert_eq!((scene.told().waiting_for.clone(), scene.told().since), (None, 1_005));
    scene.progress.retries("owned".to_owned(), 2, words("its owner"), scene.now);
    assert_eq!(scene.told().waiting_for, words("its owner"));
    scene.progress.stops(scene.now);
    assert_eq!((scene.phase(), scene.told().waiting_for.clone()), ("Stopped", None));
    scene.progress.fails("a".to_owned(), "b".to_owned(), scene.now);
    assert_eq!(scene.phase(), "Failed");
}

#[test]
fn dead_rows_are_counted_once_and_over_restarts() {
    let mut scene = Scene::ready();
    let record = UpkeepRecord { analyzed: 5, copied_bytes: 6, vacuumed: 7, dead_rows: 100 };
    scene.progress.applies(&target("a"), 10, 3);
    for _ in 0..2 {
        scene.progress.loads(&target("a"), &record);
        let upkeep = scene.upkeep("a");
        assert_eq!((upkeep.dead_rows, upkeep.analyzed, upkeep.vacuumed), (103, 5, 7), "once");
    }
    scene.retry();
    scene.carry(&[("a", "a", TablePhase::Streaming), ("b", "b", TablePhase::Streaming)]);
    scene.progress.loads(&target("a"), &record);
    scene.progress.applies(&target("a"), 10, 4);
    assert_eq!(scene.progress.vacuums(&target("a"), 103, scene.now), 4, "those that died meanwhile");
    scene.progress.measures(&target("a"), 50, scene.now);
    let upkeep = scene.upkeep("a");
    assert_eq!((upkeep.dead_rows, upkeep.vacuumed, upkeep.bytes), (4, 1_000, 50));
    assert_eq!(scene.upkeep("b"), Upkeep::default());
    // One that is not carried for a while is another one when it comes back.
    scene.carry(&[("b", "b", TablePhase::Streaming)]);
    assert_eq!(scene.progress.upkeep(&target("a")), None);
    scene.carry(&[("a", "a", TablePhase::Streaming)]);
    scene.progress.loads(&target("a"), &record);
    assert_eq!(scene.upkeep("a").dead_rows, 100);
}

#[test]
fn a_target_that_several_tables_feed_is_told_of_with_the_first() {
    let mut scene = Scene::of(&[]);
    scene.carry(&[("b", "t", TablePhase::Streaming), ("a", "t", TablePhase::Snapshotting)]);
    assert!(!scene.progress.is_copied(&target("t")));
    scene.progress.applies(&target("t"), 2, 2);
    assert_eq!((scene.upkeep("a").dead_rows, scene.upkeep("b").dead_rows), (2, 0));
    scene.progress.records_p1(&[source("a")], scene.now);
    assert!(scene.progress.is_copied(&target("t")));
    scene.progress.analyzes(&target("t"), 9, scene.now);
    assert_eq!((scene.upkeep("a").copied_bytes, scene.upkeep("a").analyzed), (9, 1_000));
    assert!(!scene.progress.is_copied(&target("u")), "which nobody feeds");
}

#[test]
fn what_stopped_an_attempt_lies_behind_one_that_has_all_that_there_was_at_its_start() {
    let mut scene = Scene::ready();
    scene.wait(10);
    scene.progress.begins_attempt(scene.now);
    scene.progress.follows(position(100).to_string(), scene.now);
    scene.look();
    // A transaction of before.
    scene.progress.commits(
        &Committed {
            position: &position(200),
            source_micros: at(1_005).micros(),
            caught_up: &[],
            work: true,
        },
        scene.now,
    );
    assert!(*scene.progress.phase() == Phase::Synchronizing && !scene.progress.is_past_its_start());
    scene.wait(1);
    scene.commit(300, &[], true);
    assert!(scene.progress.is_past_its_start());
}
