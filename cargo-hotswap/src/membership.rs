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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::with_dependents;

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
