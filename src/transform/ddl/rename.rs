//! The order in which columns of one table take new names: none may take a name that another still has.

/// One rename at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rename {
    pub(super) from: String,
    pub(super) to: String,
}

/// Puts renames that happen at once at the source (`a` to `b` and `b` to `a` is allowed there) into an order in which
/// each is possible by itself. `taken` are all the names of the table now.
pub(super) fn in_order(mut wanted: Vec<Rename>, taken: &[String]) -> Vec<Rename> {
    let mut taken: Vec<String> = taken.to_vec();
    let mut ordered = Vec::new();
    wanted.retain(|rename| rename.from != rename.to);
    loop {
        let free = wanted.iter().position(|rename| !taken.contains(&rename.to));
        let next = match (free, wanted.first_mut()) {
            (Some(free), _) => wanted.remove(free),
            // Only circles are left: one of them steps aside.
            (None, Some(first)) => {
                let aside = untaken(&taken);
                Rename { from: std::mem::replace(&mut first.from, aside.clone()), to: aside }
            }
            (None, None) => return ordered,
        };
        for name in &mut taken {
            if *name == next.from {
                name.clone_from(&next.to);
            }
        }
        ordered.push(next);
    }
}

/// A name that no column has.
fn untaken(taken: &[String]) -> String {
    let mut number = 0;
    loop {
        let name = format!("rowferry_moving_{number}");
        if !taken.contains(&name) {
            return name;
        }
        number += 1;
    }
}
