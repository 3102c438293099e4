//! A case made smaller as long as it still fails: many attempts are one round.

use super::case::{Case, Script};
use super::round::{Ground, Outcome};
use crate::load::Dice;
use std::cmp::Reverse;

/// Attempts in one round.
const ABREAST: usize = 40;

/// Rounds at most.
const ROUNDS: usize = 14;

/// Something to leave out, by places in the script. Inner things come before those that hold them, so that edits made in this
/// order, the last places first, do not shift each other's places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Edit {
    Clause(Reverse<usize>, Reverse<usize>, Reverse<usize>),
    Tail(usize, usize),
    Statement(Reverse<usize>, Reverse<usize>),
    Setting(Reverse<usize>, Reverse<usize>),
    After(Reverse<usize>, Reverse<usize>),
    AllAfter(usize),
    Step(Reverse<usize>),
    Row(Reverse<usize>, Reverse<usize>),
    LoadSetting(Reverse<usize>, Reverse<usize>),
    Load(Reverse<usize>),
    Part(Reverse<usize>),
    TableOption(Reverse<usize>),
    Partitions,
}

impl Edit {
    fn apply(self, script: &mut Script) {
        match self {
            Self::Clause(step, statement, clause) => {
                script.steps[step.0].statements[statement.0].clauses.remove(clause.0);
            }
            Self::Tail(step, statement) => script.steps[step].statements[statement].tail.clear(),
            Self::Statement(step, statement) => {
                script.steps[step.0].statements.remove(statement.0);
            }
            Self::Setting(step, setting) => {
                script.steps[step.0].settings.remove(setting.0);
            }
            Self::After(step, change) => {
                script.steps[step.0].after.remove(change.0);
            }
            Self::AllAfter(step) => script.steps[step].after.clear(),
            Self::Step(step) => {
                script.steps.remove(step.0);
            }
            Self::Row(load, row) => {
                script.loads[load.0].rows.remove(row.0);
            }
            Self::LoadSetting(load, setting) => {
                script.loads[load.0].settings.remove(setting.0);
            }
            Self::Load(load) => {
                script.loads.remove(load.0);
            }
            Self::Part(part) => {
                let text = script.table.parts.remove(part.0);
                forget(script, &text);
            }
            Self::TableOption(option) => {
                script.table.options.remove(option.0);
            }
            Self::Partitions => script.table.partitions.clear(),
        }
    }
}

/// Takes a column that is gone out of the rows.
fn forget(script: &mut Script, part: &str) {
    let name = match part.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
        Some((name, _)) => format!("`{name}`"),
        None => format!("`{}`", part.split(' ').next().unwrap_or_default()),
    };
    for load in &mut script.loads {
        if let Some(place) = load.columns.iter().position(|column| *column == name) {
            load.columns.remove(place);
            for row in &mut load.rows {
                row.remove(place);
            }
        }
    }
}

/// Everything that could be left out, what holds most first.
fn edits(script: &Script) -> Vec<Edit> {
    let mut edits = Vec::new();
    if script.steps.len() > 1 {
        edits.extend((0..script.steps.len()).map(|step| Edit::Step(Reverse(step))));
    }
    if script.loads.len() > 1 {
        edits.extend((0..script.loads.len()).map(|load| Edit::Load(Reverse(load))));
    }
    if !script.table.partitions.is_empty() {
        edits.push(Edit::Partitions);
    }
    for (index, step) in script.steps.iter().enumerate() {
        let step_place = Reverse(index);
        if step.statements.len() > 1 {
            edits.extend((0..step.statements.len()).map(|place| Edit::Statement(step_place, Reverse(place))));
        }
        if step.after.len() > 1 {
            edits.push(Edit::AllAfter(index));
        }
        edits.extend((0..step.settings.len()).map(|place| Edit::Setting(step_place, Reverse(place))));
        for (place, statement) in step.statements.iter().enumerate() {
            if statement.clauses.len() > 1 {
                let clauses = 0..statement.clauses.len();
                edits.extend(clauses.map(|clause| Edit::Clause(step_place, Reverse(place), Reverse(clause))));
            }
            if !statement.tail.is_empty() {
                edits.push(Edit::Tail(index, place));
            }
        }
        edits.extend((0..step.after.len()).map(|place| Edit::After(step_place, Reverse(place))));
    }
    edits.extend((1..script.table.parts.len()).map(|part| Edit::Part(Reverse(part))));
    edits.extend((0..script.table.options.len()).map(|option| Edit::TableOption(Reverse(option))));
    for (index, load) in script.loads.iter().enumerate() {
        edits.extend((0..load.settings.len()).map(|place| Edit::LoadSetting(Reverse(index), Reverse(place))));
        if load.rows.len() > 1 {
            edits.extend((0..load.rows.len()).map(|row| Edit::Row(Reverse(index), Reverse(row))));
        }
    }
    edits
}

fn without(script: &Script, edits: &[Edit]) -> Script {
    let mut edits = edits.to_vec();
    edits.sort_unstable();
    let mut script = script.clone();
    for edit in edits {
        edit.apply(&mut script);
    }
    // What has become empty says nothing.
    script.loads.retain(|load| !load.rows.is_empty() && !load.columns.is_empty());
    script
}

fn fails(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Different(_))
}

/// The smallest case found that fails as the given one does, with its outcome; `None` when it does not fail alone.
pub async fn smallest(ground: &Ground<'_>, script: &Script) -> Option<(Case, Outcome)> {
    // By one and the same dice, under which the daemon does not start again.
    let play = async |scripts: Vec<Script>| {
        let mut cases: Vec<Case> =
            (0..).zip(scripts).map(|(number, script)| Case::scripted(number, script)).collect();
        let outcomes = ground.play(&mut cases, Dice::of(1, 1)).await;
        cases.into_iter().zip(outcomes).collect::<Vec<_>>()
    };
    let mut best = play(vec![script.clone()]).await.into_iter().find(|(_, outcome)| fails(outcome))?;
    for _ in 0..ROUNDS {
        let script = best.0.script.clone();
        let all = edits(&script);
        let mut good = Vec::new();
        for some in all.chunks(ABREAST) {
            let played = play(some.iter().map(|edit| without(&script, &[*edit])).collect()).await;
            good.extend(
                some.iter()
                    .zip(played)
                    .filter(|(_, (_, outcome))| fails(outcome))
                    .map(|(edit, case)| (*edit, case)),
            );
        }
        if good.is_empty() {
            break;
        }
        // All of it at once, or the first half, or what was found first.
        let together: Vec<Edit> = good.iter().map(|(edit, _)| *edit).collect();
        let half = &together[..together.len().div_ceil(2)];
        let quarter = &together[..together.len().div_ceil(4)];
        let tried =
            play(vec![without(&script, &together), without(&script, half), without(&script, quarter)]).await;
        let tried = tried.into_iter().find(|(_, outcome)| fails(outcome));
        best = match tried {
            Some(tried) => tried,
            None => good.swap_remove(0).1,
        };
    }
    Some(best)
}
