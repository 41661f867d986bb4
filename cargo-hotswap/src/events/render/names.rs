//! Paths of items as short as they can be told apart.

use super::Look;
use crate::edits::short_path;

/// The names of these items: without crate and modules where that is clear, with `-v` in full.
pub fn of(paths: &[String], look: &Look) -> Vec<String> {
    if look.verbose {
        return paths.to_vec();
    }
    let short = |path: &String| short_path(path).unwrap_or_else(|| path.clone());
    let names: Vec<String> = paths.iter().map(short).collect();
    let only = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
    let pairs = names.iter().zip(paths);
    pairs
        .map(|(name, path)| if only(name) { name } else { path }.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Look, of};

    #[test]
    fn names_are_short_where_that_is_clear() {
        for (paths, expected) in [
            (vec!["app::greet", "app::room::serve"], "greet serve"),
            (
                vec![
                    "app::greet",
                    "app::room::greet",
                    "<app::Room as app::Talk>::say",
                ],
                "app::greet app::room::greet Room::say",
            ),
            (
                vec!["<app::Room>::say", "<app::Hall>::say"],
                "Room::say Hall::say",
            ),
        ] {
            let paths: Vec<String> = paths.into_iter().map(str::to_owned).collect();
            assert_eq!(of(&paths, &Look::default()).join(" "), expected);
            let verbose = Look {
                verbose: true,
                ..Look::default()
            };
            assert_eq!(of(&paths, &verbose), paths);
        }
    }
}
