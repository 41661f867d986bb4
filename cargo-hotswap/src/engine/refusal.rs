//! Refusals of types and statics: what changed and where, why it can't go live, what to do.

use std::collections::BTreeSet;
use std::path::Path;

use hotswap_layout::{Finding, report};
use hotswap_protocol::message::ErrorCode;

use crate::events::{Event, Place};
use crate::places;
use crate::program::Declined;
use crate::unit::Unit;

/// The refusal of these types, traits and signatures, under this code; `None` if there are none.
pub fn layouts(code: &'static str, refused: &[Finding], units: &[Unit]) -> Option<Event> {
    let paths: Vec<&str> = refused
        .iter()
        .map(|finding| finding.subject.as_str())
        .collect();
    let places: Vec<Option<Place>> = paths.iter().map(|path| place(path, units)).collect();
    let message = report::refusal(refused, |finding| {
        let at = paths.iter().position(|path| *path == finding.subject)?;
        places[at].as_ref().map(text)
    })?;
    Some(refused_event(code, message, &paths, places))
}

/// The refusal of these statics, each with its reason.
pub fn statics(refused: &[(String, String)], units: &[Unit]) -> Event {
    let mut paths: Vec<&str> = Vec::new();
    let mut reasons: Vec<&str> = Vec::new();
    for (path, reason) in refused {
        let path = places::as_written(path);
        // A thread-local consists of several.
        if !paths.contains(&path) {
            paths.push(path);
            reasons.push(reason);
        }
    }
    let places: Vec<Option<Place>> = paths.iter().map(|path| place(path, units)).collect();
    let part = |at: usize| {
        let mut part = format!(
            "the static `{}` can't go live: {}\n",
            paths[at], reasons[at]
        );
        if let Some(place) = &places[at] {
            part += &format!("  --> {}\n", text(place));
        }
        part += "   = why: its value in the running program would be read as something else\n";
        part + "   = help: undo the change to the static, or restart the program\n"
    };
    let parts: Vec<String> = (0..paths.len()).map(part).collect();
    refused_event("static", parts.join("\n"), &paths, places)
}

/// The refusal of an image that would have only a part of these sections; `None` if there are none.
pub fn slices(sections: &[&str]) -> Option<Event> {
    let names = sections.iter();
    let names: Vec<&str> = names
        .map(|section| section.strip_prefix("linkme_").unwrap_or(section))
        .collect();
    let part = |name: &&str| {
        format!(
            "what declares the distributed slice `{name}` can't go live\n\
             \x20  = why: the new code would read a slice without the elements that crates outside the workspace add\n\
             \x20  = help: restart the program, or make the crates that add to it members of the workspace\n"
        )
    };
    let parts: Vec<String> = names.iter().map(part).collect();
    (!names.is_empty()).then(|| refused_event("slice", parts.join("\n"), &names, Vec::new()))
}

/// What the program said when it did not take a patch for a reason of its own; `None` if that was another
/// failure.
pub fn state(error: &anyhow::Error) -> Option<Event> {
    let declined = error.downcast_ref::<Declined>()?;
    let (reason, what, why, help) = match declined.code {
        ErrorCode::StateRefused => (
            "state",
            "state can't be carried over to the new code",
            "a value of the old layout would be left to code that expects the new one",
            "change what is named above and save",
        ),
        ErrorCode::StateBusy => (
            "state-busy",
            "state is in use",
            "a value gets its new layout only while nobody holds it, and it was not let go in time",
            "a guard that lives over a wait or an `.await` can mostly end before it; a save tries again, also of the same text",
        ),
        ErrorCode::StateFailed => (
            "state-failed",
            "state could not be carried over to the new code",
            "the new code would find no value; all values are as they were, and the old code goes on with them",
            "change the function or the value that is named above, and save",
        ),
        ErrorCode::OnLoadFailed => (
            "on-load",
            "the new code does not want to be loaded",
            "a function that is marked `#[hotswap::on_load]` runs before the new code does; as it failed, the old code goes on",
            "change what the function complains of, or the function, and save",
        ),
        ErrorCode::VersionInUse => (
            "version-in-use",
            "the version before the current one is still in use",
            "a third version would run beside the two",
            "save again when its calls have ended, or allow more versions with `--third-version=keep`",
        ),
        _ => return None,
    };
    let said = declined.message.trim_end().lines();
    let said: String = said.map(|line| format!("   | {line}\n")).collect();
    let message = format!("{what}\n   |\n{said}   |\n   = why: {why}\n   = help: {help}\n");
    Some(refused_event(reason, message, &[], Vec::new()))
}

fn refused_event(
    reason: &'static str,
    message: String,
    paths: &[&str],
    places: Vec<Option<Place>>,
) -> Event {
    Event::Refused {
        reason,
        message,
        items: paths.iter().map(ToString::to_string).collect(),
        places: places.into_iter().flatten().collect(),
    }
}

fn text(place: &Place) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let file = place.file.strip_prefix(&here).unwrap_or(&place.file);
    format!("{}:{}:{}", file.display(), place.line, place.column)
}

fn place(path: &str, units: &[Unit]) -> Option<Place> {
    places::find(path, |krate| {
        let files = units.iter().filter(|unit| unit.name == krate);
        let files = files.flat_map(|unit| &unit.sources).map(AsRef::as_ref);
        let rust = |file: &&Path| file.extension().is_some_and(|extension| extension == "rs");
        files.filter(rust).collect::<BTreeSet<&Path>>()
    })
}
