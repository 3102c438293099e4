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
    while !wanted.is_empty() {
        let free = wanted.iter().position(|rename| !taken.contains(&rename.to));
        let next = if let Some(free) = free {
            wanted.remove(free)
        } else {
            // Only circles are left: one of them steps aside.
            let Some(first) = wanted.first_mut() else { break };
            let aside = (0..=taken.len())
                .map(|number| format!("rowferry_moving_{number}"))
                .find(|name| !taken.contains(name))
                .unwrap_or_default();
            Rename { from: std::mem::replace(&mut first.from, aside.clone()), to: aside }
        };
        for name in &mut taken {
            if *name == next.from {
                name.clone_from(&next.to);
            }
        }
        ordered.push(next);
    }
    ordered
}
