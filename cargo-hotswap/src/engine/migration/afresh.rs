//! Cells that an edit takes away, and those that begin without a value: a cell goes by its path, so one that
//! was renamed or moved is both.

use crate::events::StaticReport;

/// A cell's path, and the full name of its value's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) path: &'a str,
    pub(super) type_name: &'a str,
}

/// What there is to tell if these cells go and these come. A new cell alone is no news.
pub(super) fn reports(gone: &[Named<'_>], born: &[Named<'_>]) -> Vec<StaticReport> {
    let report = |cell: &Named<'_>, verdict, reason| StaticReport {
        name: cell.path.to_owned(),
        verdict,
        reason,
    };
    let born_now = born.iter().filter(|_| !gone.is_empty()).map(|cell| {
        let mut reason = "no version had a cell of this path, so it starts afresh".to_owned();
        let alike: Vec<_> = gone
            .iter()
            .filter(|it| last_name(it.type_name) == last_name(cell.type_name))
            .collect();
        if let [one] = alike.as_slice() {
            reason += &format!(
                "; if it is `{path}`, which is gone, write `#[hotswap(was = \"{}\")]` on it to have its \
                 value",
                as_was(one.path, cell.path),
                path = one.path,
            );
        }
        report(cell, "new", reason)
    });
    let gone_now = gone.iter().map(|cell| {
        let reason =
            "no code has it any more; its value stays for code that has a cell of this path again";
        report(cell, "gone", reason.to_owned())
    });
    gone_now.chain(born_now).collect()
}

/// What a cell writes of an older one's path: its name, or its path in the crate.
fn as_was(path: &str, new: &str) -> String {
    let module = |path: &str| path.rsplit_once("::").map(|(module, _)| module.to_owned());
    match (path.rsplit_once("::"), path.split_once("::")) {
        (Some((_, name)), _) if module(path) == module(new) => name.to_owned(),
        (_, Some((_, rest))) => format!("crate::{rest}"),
        _ => path.to_owned(),
    }
}

/// A type's name without modules and arguments: it may have moved with its cell.
fn last_name(full: &str) -> &str {
    let path = full.split('<').next().unwrap_or(full);
    path.rsplit("::").next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::{Named, as_was, reports};

    #[test]
    fn what_to_write() {
        assert_eq!(as_was("app::a::OLD", "app::a::NEW"), "OLD");
        assert_eq!(as_was("app::a::OLD", "app::NEW"), "crate::a::OLD");
        assert_eq!(as_was("app::OLD", "app::b::NEW"), "crate::OLD");
    }

    #[test]
    fn what_goes_and_what_comes_is_told() {
        let cells = |text: &'static str| -> Vec<Named<'static>> {
            let cells = text.split(' ').filter_map(|cell| cell.split_once(':'));
            let cells = cells.map(|(path, type_name)| Named { path, type_name });
            cells.collect()
        };
        for (gone, born, expected) in [
            ("", "", ""),
            ("", "NEW:W", ""),
            ("OLD:W", "", "OLD gone"),
            ("OLD:W", "NEW:W", "OLD gone, NEW new of OLD"),
            ("OLD:W", "NEW:V", "OLD gone, NEW new"),
            ("OLD:W OTHER:W", "NEW:W", "OLD gone, OTHER gone, NEW new"),
            ("OLD:W<u8>", "NEW:W<u16>", "OLD gone, NEW new of OLD"),
        ] {
            let told = reports(&cells(gone), &cells(born));
            let told = told.iter().map(|it| {
                let of = it.reason.contains("`OLD`").then_some(" of OLD");
                format!("{} {}{}", it.name, it.verdict, of.unwrap_or_default())
            });
            assert_eq!(told.collect::<Vec<_>>().join(", "), expected);
        }
    }
}
