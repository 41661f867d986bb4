//! Writing the attribute into source files: insertions that leave everything else as it is.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::functions::Code;
use super::sources::SourceFile;

/// What is written.
const ATTRIBUTE: &str = "#[hotswap::entry]";

/// A file's text before and after.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// The file.
    pub path: PathBuf,
    /// Its text as it was read.
    pub before: String,
    /// Its text as it will be.
    pub after: String,
}

/// The changes that mark these functions; none for those that are marked already.
///
/// # Errors
///
/// One of them can't be an entry.
pub fn plan(code: &Code<'_>, files: &[SourceFile], chosen: &[usize]) -> Result<Vec<Change>> {
    let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for number in chosen {
        let function = &code.functions[*number];
        if let Some(refusal) = &function.refusal {
            let place = super::choose::place(function, files);
            bail!("{place} can't be an entry: {refusal}");
        }
        if !function.marked {
            places
                .entry(function.file)
                .or_default()
                .push(function.place);
        }
    }
    let changes = places.into_iter().map(|(file, places)| {
        let SourceFile { path, text, .. } = &files[file];
        Change {
            path: path.clone(),
            before: text.clone(),
            after: inserted(text, places),
        }
    });
    Ok(changes.collect())
}

/// The text with the attribute at these places, in bytes: on a line of its own, indented as what
/// follows, or before a function that does not begin its line.
fn inserted(text: &str, mut places: Vec<usize>) -> String {
    places.sort_unstable();
    places.dedup();
    let mut after = text.to_owned();
    for place in places.into_iter().rev() {
        let line_start = text[..place].rfind('\n').map_or(0, |end| end + 1);
        let indent = &text[line_start..place];
        let addition = if indent
            .trim_start_matches('\u{feff}')
            .chars()
            .all(char::is_whitespace)
        {
            let indent = indent.trim_start_matches('\u{feff}');
            format!("{ATTRIBUTE}{}{indent}", line_end(text, place))
        } else {
            format!("{ATTRIBUTE} ")
        };
        after.insert_str(place, &addition);
    }
    after
}

/// How lines end around here.
fn line_end(text: &str, place: usize) -> &'static str {
    let end = text[place..].find('\n').map(|end| place + end);
    match end {
        Some(end) if text[..end].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// The change as `diff -u` would show it.
pub fn diff(change: &Change) -> String {
    let name = super::shown(&change.path).display().to_string();
    similar::TextDiff::from_lines(&change.before, &change.after)
        .unified_diff()
        .context_radius(3)
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}

/// Writes all changes or none: each file is replaced as a whole, and put back if a later one fails.
///
/// # Errors
///
/// A file can't be written, or is another than was read.
pub fn write(changes: &[Change]) -> Result<()> {
    for change in changes {
        let now = std::fs::read_to_string(&change.path);
        if now.ok().as_ref() != Some(&change.before) {
            bail!(
                "{} was changed meanwhile; nothing was written",
                change.path.display()
            );
        }
    }
    for (number, change) in changes.iter().enumerate() {
        if let Err(error) = replace(&change.path, &change.after) {
            let back = changes[..number].iter();
            let lost: Vec<_> = back
                .filter(|change| replace(&change.path, &change.before).is_err())
                .map(|change| change.path.display().to_string())
                .collect();
            let rest = match lost.as_slice() {
                [] => "nothing was changed".to_owned(),
                lost => format!("and these could not be put back: {}", lost.join(", ")),
            };
            return Err(error).context(rest);
        }
    }
    Ok(())
}

/// Puts a new file in the place of one: whoever reads sees the old text or the new. A link stays,
/// and what it leads to is replaced.
fn replace(path: &Path, text: &str) -> Result<()> {
    let context = || format!("could not write {}", path.display());
    let path = std::fs::canonicalize(path).with_context(context)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".hotswap-")
        .tempfile_in(folder)
        .with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)?;
    let permissions = std::fs::metadata(&path)
        .with_context(context)?
        .permissions();
    if permissions.readonly() {
        bail!("{} is read-only", path.display());
    }
    file.as_file()
        .set_permissions(permissions)
        .with_context(context)?;
    file.as_file().sync_all().with_context(context)?;
    file.persist(&path).with_context(context)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::super::functions::Code;
    use super::super::sources::SourceFile;
    use super::{Change, diff, plan, write};

    /// Marks all functions named `f` and returns the text.
    fn marked(text: &str) -> String {
        let rest = text.trim_start_matches('\u{feff}');
        let file = SourceFile {
            path: PathBuf::from("a.rs"),
            text: text.to_owned(),
            skipped: text.len() - rest.len(),
            syntax: syn::parse_file(text).unwrap(),
            module: vec!["a".to_owned()],
        };
        let files = [file];
        let code = Code::read(&files);
        let named_f = |number: &usize| code.functions[*number].name() == "f";
        let chosen: Vec<usize> = (0..code.functions.len()).filter(named_f).collect();
        assert!(!chosen.is_empty(), "{text}");
        match plan(&code, &files, &chosen).unwrap().pop() {
            Some(change) => change.after,
            None => text.to_owned(),
        }
    }

    #[test]
    fn the_attribute_stands_after_the_documentation() {
        for (before, after) in [
            ("fn f() {}\n", "#[hotswap::entry]\nfn f() {}\n"),
            (
                "/// What it does.\n/// More.\npub async fn f() {}\n",
                "/// What it does.\n/// More.\n#[hotswap::entry]\npub async fn f() {}\n",
            ),
            (
                "#[inline]\n// why\npub(crate) unsafe fn f() {}",
                "#[hotswap::entry]\n#[inline]\n// why\npub(crate) unsafe fn f() {}",
            ),
            (
                "impl A {\n    /** doc */\n    fn f(&self) {}\n\n    fn g() {}\n}\n",
                "impl A {\n    /** doc */\n    #[hotswap::entry]\n    fn f(&self) {}\n\n    fn g() {}\n}\n",
            ),
            (
                "mod m {\n\tfn f() {}\n}",
                "mod m {\n\t#[hotswap::entry]\n\tfn f() {}\n}",
            ),
            (
                "impl A { fn f() {} }",
                "impl A { #[hotswap::entry] fn f() {} }",
            ),
            (
                "/// Doc.\r\nfn f() {\r\n}\r\n",
                "/// Doc.\r\n#[hotswap::entry]\r\nfn f() {\r\n}\r\n",
            ),
            (
                "\u{feff}fn f() {}\n",
                "\u{feff}#[hotswap::entry]\nfn f() {}\n",
            ),
            (
                "// größer\nfn ä() {} fn f() {}\n",
                "// größer\nfn ä() {} #[hotswap::entry] fn f() {}\n",
            ),
            (
                "fn f() {} mod a { fn f() {} }\n",
                "#[hotswap::entry]\nfn f() {} mod a { #[hotswap::entry] fn f() {} }\n",
            ),
        ] {
            assert_eq!(marked(before), after);
            // Once is enough.
            assert_eq!(marked(after), after);
        }
        for marked_already in [
            "#[hotswap::entry(untracked)]\nfn f() {}",
            "use hotswap::entry;\n#[entry]\nfn f() {}",
            "#[hotswap::entry]\nimpl A { fn f() {} }",
            "#[hotswap::entry]\nmod m { impl A { fn f() {} } }",
        ] {
            assert_eq!(marked(marked_already), marked_already);
        }
        let skipped = "#[hotswap::entry]\nimpl A {\n    #[hotswap::entry(skip)]\n    fn f() {}\n}";
        assert_ne!(marked(skipped), skipped);
    }

    #[test]
    fn all_files_are_written_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let change = |name: &str| Change {
            path: path(name),
            before: "old\n".to_owned(),
            after: "new\n".to_owned(),
        };
        std::fs::create_dir(path("real")).unwrap();
        std::fs::write(path("real/a"), "old\n").unwrap();
        std::os::unix::fs::symlink("real/a", path("a")).unwrap();
        std::fs::write(path("b"), "old\n").unwrap();
        std::fs::set_permissions(path("b"), PermissionsExt::from_mode(0o640)).unwrap();
        let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
        // The last can't be written.
        std::fs::write(path("c"), "old\n").unwrap();
        std::fs::set_permissions(path("c"), PermissionsExt::from_mode(0o444)).unwrap();
        let error = write(&[change("a"), change("b"), change("c")]).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("nothing was changed") && error.contains("read-only"),
            "{error}"
        );
        assert_eq!([read("a"), read("b"), read("c")], ["old\n"; 3]);
        // The last is another than was read.
        std::fs::write(path("d"), "other\n").unwrap();
        let error = write(&[change("a"), change("d")]).unwrap_err();
        assert!(error.to_string().contains("changed meanwhile"), "{error:#}");
        assert_eq!(read("a"), "old\n");
        write(&[change("a"), change("b")]).unwrap();
        assert_eq!([read("real/a"), read("b")], ["new\n"; 2]);
        assert!(path("a").is_symlink());
        let mode = std::fs::metadata(path("b")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        // Nothing is left beside the files.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5);
        assert_eq!(
            diff(&Change {
                path: "x.rs".into(),
                ..change("a")
            }),
            "--- a/x.rs\n+++ b/x.rs\n@@ -1 +1 @@\n-old\n+new\n"
        );
    }
}
