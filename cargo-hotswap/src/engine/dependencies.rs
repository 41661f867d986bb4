//! Dependencies that changed since the host was linked.

use std::path::PathBuf;

use crate::events::Event;
use crate::records::crate_name;

/// Compares the libraries of two links by crate: those that were added, and the crates of which
/// the host has another build. Two builds of one crate can't share state, and all that uses one
/// would have to be exchanged with it.
pub fn compare(host: &[PathBuf], new: &[PathBuf]) -> (Vec<PathBuf>, Vec<String>) {
    let added: Vec<&PathBuf> = new
        .iter()
        .filter(|library| !host.contains(library))
        .collect();
    let gone: Vec<&PathBuf> = host
        .iter()
        .filter(|library| !new.contains(library))
        .collect();
    let exchanged = added.iter().filter_map(|library| {
        let name = crate_name(library);
        gone.iter()
            .any(|other| crate_name(other) == name)
            .then(|| name.to_owned())
    });
    let exchanged = exchanged.collect();
    (added.into_iter().cloned().collect(), exchanged)
}

/// The refusal of an edit that exchanged these crates.
pub fn refusal(crates: Vec<String>) -> Event {
    let message = format!(
        "dependencies changed: {} {} other features or another version now\n   \
         = why: the running program's values were made by the build it has, and would be read by \
         another\n   \
         = help: restart the program to run with the new dependencies",
        crates.join(", "),
        if crates.len() == 1 { "has" } else { "have" },
    );
    Event::Refused {
        reason: "dependency",
        message,
        items: crates,
        places: Vec::new(),
    }
}

/// What the compiler said of an edit, and that it may be about crates that wait for a restart: it was
/// given those that the running program has.
pub fn without_refused(mut message: String, refused: bool) -> String {
    if refused {
        message.truncate(message.trim_end().len());
        message += "\n\nnote: other dependencies were asked for and refused, and this was compiled without \
                    them; `cargo hotswap restart` takes them in\n";
    }
    message
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::compare;

    #[test]
    fn tells_added_from_exchanged() {
        let libraries = |names: &[&str]| -> Vec<PathBuf> {
            names
                .iter()
                .map(|name| format!("/t/lib{name}.rlib").into())
                .collect()
        };
        for (host, new, added, exchanged) in [
            (vec!["a-1"], vec!["a-1"], vec![], vec![]),
            (vec!["a-1"], vec!["a-1", "b-1"], vec!["b-1"], vec![]),
            (vec!["a-1", "b-1"], vec!["a-1"], vec![], vec![]),
            (vec!["a-1"], vec!["a-2"], vec!["a-2"], vec!["a"]),
            (vec!["a-1"], vec!["a-1", "a-2"], vec!["a-2"], vec![]),
        ] {
            let found = compare(&libraries(&host), &libraries(&new));
            let exchanged: Vec<String> = exchanged.into_iter().map(str::to_owned).collect();
            assert_eq!(found, (libraries(&added), exchanged));
        }
    }
}
