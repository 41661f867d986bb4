//! Patches that lie on others: built against each of them, applied on exactly those, taken away from the top.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hotswap_tests::hotswap_verb;
use serde_json::{Value, json};

use super::{HANDLERS, Server, hostile, text, tool};

/// Counts, so that it shows whose static it is.
fn counting(kind: &str, what: &str, greeting: &str) -> String {
    format!(
        "    static SEEN: std::sync::atomic::{kind} = std::sync::atomic::{kind}::new(0);\n    \
         let seen = SEEN.fetch_add(1, std::sync::atomic::Ordering::AcqRel);\n    \
         tracing::info!(%name, seen, \"{what}\");\n{greeting}"
    )
}

/// The names of patches that are applied, the oldest first.
fn applied(line: &Value) -> Vec<&str> {
    let all = line["applied"].as_array().into_iter().flatten();
    all.filter_map(|patch| patch["name"].as_str()).collect()
}

/// The source is as in the base before and afterwards.
pub(super) fn lie_on_each_other(server: &Server, greeting: &str) -> Result<()> {
    let one = counting("AtomicU32", "one", greeting);
    server.package.edit(HANDLERS, greeting, &one)?;
    let first = server.build("first.hotpatch", &[])?;
    let first = text(&first)?;
    let two = counting("AtomicU32", "two", greeting);
    server.package.edit(HANDLERS, &one, &two)?;
    let second = server.build("second.hotpatch", &["--on", first])?;
    let second = text(&second)?;
    let larger = counting("AtomicU64", "three", greeting);
    server.package.edit(HANDLERS, &two, &larger)?;
    is_compared_with_what_is_below(server, first, second)?;
    server.package.edit(HANDLERS, &larger, greeting)?;
    show(server, first, second)?;
    // What was edited is taken back, and edited again.
    let back = server.build("back.hotpatch", &["--on", first])?;
    let back = text(&back)?;
    server.package.edit(HANDLERS, greeting, &two)?;
    let again = server.build("again.hotpatch", &["--on", first, "--on", back])?;
    server.package.edit(HANDLERS, &two, greeting)?;

    let does = |words: &[&str], expected| server.expect(words, expected);
    let not_on_it = (11, false, Some("wrong-stack"));
    does(&["apply", second], not_on_it)?;
    does(&["apply", first], (0, true, None))?;
    logs(server, &[("A", "one", 0), ("B", "one", 1)])?;
    does(&["apply", second], (0, true, None))?;
    // The static is that of the patch below.
    logs(server, &[("C", "two", 2)])?;
    let both = does(&["apply", first], (0, false, None))?;
    ensure!(applied(&both) == ["first", "second"], "{both}");
    does(&["revert", first], (11, false, Some("not-applied")))?;
    let left = does(&["revert", second], (0, true, None))?;
    ensure!(applied(&left) == ["first"], "{left}");
    logs(server, &[("D", "one", 3)])?;
    does(&["apply", second], (0, true, None))?;
    logs(server, &[("E", "two", 4)])?;
    // Whichever is the newest.
    let left = does(&["revert"], (0, true, None))?;
    ensure!(applied(&left) == ["first"], "{left}");
    does(&["apply", back], (0, true, None))?;
    server.greets("F", false)?;
    does(&["apply", text(&again)?], (0, true, None))?;
    server.greets("G", true)?;
    for _ in 0..3 {
        does(&["revert"], (0, true, None))?;
    }
    let none = does(&["revert"], (0, false, None))?;
    ensure!(applied(&none).is_empty(), "{none}");
    does(&["apply", second], not_on_it)?;
    server.greets("Bare", false)?;
    a_purge_gives_up_what_nobody_has_promised(server, first, second)
}

/// What is applied for a time goes, whoever wants memory back meanwhile. Afterwards the server has a patch for good.
fn a_purge_gives_up_what_nobody_has_promised(
    server: &Server,
    patch: &str,
    on_it: &str,
) -> Result<()> {
    let pid = server.child.id().to_string();
    let gives_up = || -> Result<bool> {
        let words = ["purge", "--pid", &pid, "--message-format=json"];
        let output = hotswap_verb(&server.package, &words)?.output()?;
        let purged: Value = serde_json::from_slice(&output.stdout)?;
        let ways = purged["ways_given_up"].as_array().context("no ways")?;
        Ok(!ways.is_empty())
    };
    server.expect(&["apply", patch, "--ttl=1h"], (0, true, None))?;
    ensure!(!gives_up()?, "it has a time");
    // It would have to go with the one that it lies on.
    let stays = hostile::changed(&fs::read(on_it)?, |text| {
        text["manifest"]["back"] = json!({ "none": ["a field is gone"] });
    })?;
    let file = server.package.root.join("stays.hotpatch");
    fs::write(&file, stays)?;
    let refused = server.expect(&["apply", text(&file)?], (11, false, Some("patch-stays")))?;
    ensure!(
        refused["error"].to_string().contains("a field is gone"),
        "{refused}"
    );
    server.expect(&["apply", patch], (0, false, None))?;
    ensure!(gives_up()?, "it has none");
    server.expect(&["revert"], (12, false, Some("revert-refused")))?;
    server.expect(
        &["apply", patch, "--ttl=1h"],
        (11, false, Some("patch-stays")),
    )?;
    Ok(())
}

fn logs(server: &Server, expected: &[(&str, &str, u32)]) -> Result<()> {
    for (name, what, seen) in expected {
        server.greets(name, true)?;
        let log = fs::read_to_string(&server.log)?;
        let line = format!("{what} name={name} seen={seen}");
        ensure!(log.contains(&line), "no `{line}` in\n{log}");
    }
    Ok(())
}

/// Against the base alone the static is new, and may have any type.
fn is_compared_with_what_is_below(server: &Server, first: &str, second: &str) -> Result<()> {
    for (on, expected) in [
        (&["--on", first][..], "SEEN"),
        (&["--on", second], "lies on"),
        (&["--on", second, "--on", first], "lies on"),
        (&["--on", first, "--on", first], "lies on"),
    ] {
        let (said, code) = server.tries_to_build(on)?;
        ensure!(code == 101 && said.contains(expected), "{on:?}: {said}");
    }
    // What it was compiled to is only where it was built.
    let base: Value = serde_json::from_slice(&fs::read(&server.base)?)?;
    let target = base["target_directory"].as_str().context("no folder")?;
    let (one, _) = tool(&server.package, &["patch", "show", first])?;
    let digest = one["digest"].as_str().context("no digest")?;
    let kept = Path::new(target).join("hotswap/patches").join(digest);
    let away = kept.with_extension("away");
    fs::rename(&kept, &away)?;
    let (said, code) = server.tries_to_build(&["--on", first])?;
    fs::rename(&away, &kept)?;
    ensure!(code == 101 && said.contains("same target folder"), "{said}");
    Ok(())
}

fn show(server: &Server, first: &str, second: &str) -> Result<()> {
    let (one, _) = tool(&server.package, &["patch", "show", first])?;
    let (two, code) = tool(&server.package, &["patch", "show", second])?;
    let below = Value::Array(vec![one["digest"].clone()]);
    ensure!(code == 0 && two["below"] == below, "{two}");
    let diff = hotswap_verb(&server.package, &["patch", "diff", first, second])?.output()?;
    let said = String::from_utf8_lossy(&diff.stdout);
    let digest = one["digest"].as_str().context("no digest")?;
    let lies = format!("+     lies on {digest}");
    ensure!(
        diff.status.code() == Some(1) && said.contains(&lies),
        "{said}"
    );
    Ok(())
}
