//! Which units an image holds, and which must be compiled for an edit: pure decisions.

use std::collections::BTreeSet;

/// The units in `seeds` and all that depend on one of them, directly or not. `dependencies[i]`
/// names the units that unit `i` depends on; a unit stands behind its dependencies.
///
/// An image needs the dependents too: an entry in one that stayed behind would go on calling the
/// old code of the changed crate.
pub fn with_dependents(dependencies: &[Vec<usize>], seeds: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut members = seeds.clone();
    for (unit, below) in dependencies.iter().enumerate() {
        if below.iter().any(|dependency| members.contains(dependency)) {
            members.insert(unit);
        }
    }
    members
}

/// The units of an image: `changed` and their dependents, and all that share a gathered section with one
/// that is in it, with theirs. `gathered[i]` has the sections that unit `i` adds to or reads.
pub fn of_image<S: Ord>(
    dependencies: &[Vec<usize>],
    gathered: &[BTreeSet<S>],
    changed: BTreeSet<usize>,
) -> BTreeSet<usize> {
    let mut members = with_dependents(dependencies, &changed);
    loop {
        let shared: BTreeSet<&S> = members.iter().flat_map(|unit| &gathered[*unit]).collect();
        let shares = |unit: &usize| gathered[*unit].iter().any(|one| shared.contains(one));
        let more = (0..gathered.len()).filter(shares).chain(members.clone());
        let more = with_dependents(dependencies, &more.collect());
        if more == members {
            return members;
        }
        members = more;
    }
}

/// The first unit in `waiting` that depends on none in `unsettled`, directly or not: all that its
/// compilation reads is what it will be.
pub fn first_ready(
    dependencies: &[Vec<usize>],
    waiting: &BTreeSet<usize>,
    unsettled: &BTreeSet<usize>,
) -> Option<usize> {
    let mut behind = vec![false; dependencies.len()];
    for (unit, below) in dependencies.iter().enumerate() {
        let mut below = below.iter();
        behind[unit] = below.any(|below| behind[*below] || unsettled.contains(below));
    }
    waiting.iter().find(|unit| !behind[**unit]).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{first_ready, of_image, with_dependents};

    #[test]
    fn a_unit_waits_for_what_it_reads() {
        // 0 <- 1 <- 3, 2 <- 3, 4 alone.
        let dependencies = [vec![], vec![0], vec![], vec![1, 2], vec![]];
        let table: &[(&[usize], &[usize], Option<usize>)] = &[
            (&[], &[], None),
            (&[0], &[0], Some(0)),
            (&[3], &[3], Some(3)),
            // Of two that wait, one may read the other.
            (&[1, 3], &[1, 3], Some(1)),
            (&[3], &[0, 3], None),
            (&[3, 4], &[0, 3, 4], Some(4)),
            (&[2, 3], &[0, 2, 3], Some(2)),
        ];
        for &(waiting, unsettled, expected) in table {
            let set = |units: &[usize]| units.iter().copied().collect::<BTreeSet<usize>>();
            let found = first_ready(&dependencies, &set(waiting), &set(unsettled));
            assert_eq!(found, expected, "{waiting:?}, {unsettled:?}");
        }
    }

    #[test]
    fn who_shares_a_gathered_section_comes_along() {
        // 0 <- 1 <- 3, 2 <- 3, 4 alone; 5 adds to what 0 reads, and 4 to what 5 does.
        let dependencies = [vec![], vec![0], vec![], vec![1, 2], vec![], vec![]];
        let sections: [&[&str]; 6] = [&["a"], &[], &[], &[], &["b"], &["a", "b"]];
        let gathered = sections.map(|names| names.iter().copied().collect::<BTreeSet<_>>());
        let table: &[(&[usize], &[usize])] = &[
            (&[], &[]),
            (&[2], &[2, 3]),
            (&[1], &[1, 3]),
            (&[4], &[0, 1, 3, 4, 5]),
            (&[0], &[0, 1, 3, 4, 5]),
        ];
        for &(changed, expected) in table {
            let changed = changed.iter().copied().collect();
            let members = of_image(&dependencies, &gathered, changed);
            assert_eq!(members.into_iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn dependents_follow() {
        // 0 <- 1 <- 3, 2 <- 3, 4 alone.
        let dependencies = [vec![], vec![0], vec![], vec![1, 2], vec![]];
        for (seeds, expected) in [
            (vec![], vec![]),
            (vec![0], vec![0, 1, 3]),
            (vec![2], vec![2, 3]),
            (vec![3], vec![3]),
            (vec![4], vec![4]),
            (vec![1, 4], vec![1, 3, 4]),
        ] {
            let seeds: BTreeSet<usize> = seeds.into_iter().collect();
            let members: Vec<usize> = with_dependents(&dependencies, &seeds).into_iter().collect();
            assert_eq!(members, expected);
        }
    }
}
