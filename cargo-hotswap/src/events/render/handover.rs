//! How it looks when state goes to another process.

use super::{Event, Look, names, warning};
use crate::events::style::{GOOD, WARN, status};
use crate::events::{CarriedCell, FreshCell};
use crate::status::human::bytes;

/// The text of an event about it.
pub fn human(event: &Event, look: &Look) -> String {
    match event {
        Event::Saved {
            cells,
            afresh,
            pause_ms,
        } => {
            let mut text = String::new();
            if !cells.is_empty() && look.verbose {
                text += &carried(
                    "Saved",
                    cells,
                    &format!(", paused for {pause_ms:.1} ms"),
                    look,
                );
            }
            text + &afresh_cells(afresh, look)
        }
        Event::Restored {
            cells,
            afresh,
            damage,
        } => {
            let mut text = String::new();
            if !cells.is_empty() {
                text += &carried("Restored", cells, "", look);
            }
            if let Some(damage) = damage {
                text += &warning(&format!("state could not be carried over: {damage}"));
            }
            text + &afresh_cells(afresh, look)
        }
        _ => String::new(),
    }
}

fn carried(verb: &str, cells: &[CarriedCell], more: &str, look: &Look) -> String {
    let size = bytes(cells.iter().map(|cell| cell.bytes).sum());
    let paths: Vec<String> = cells.iter().map(|cell| cell.cell.clone()).collect();
    let text = look.listing(&names::of(&paths, look), |cells| {
        format!("{cells} ({size}{more})")
    });
    look.line(GOOD, verb, &text)
}

/// One line for each reason. What is at fault in one cell alone is a line of its own.
fn afresh_cells(afresh: &[FreshCell], look: &Look) -> String {
    let mut text = String::new();
    let mut told: Vec<&FreshCell> = Vec::new();
    for cell in afresh {
        let is_same =
            |other: &&FreshCell| (&other.field, &other.reason) == (&cell.field, &cell.reason);
        if told.iter().any(is_same) {
            continue;
        }
        told.push(cell);
        let alike = afresh.iter().filter(is_same);
        let paths: Vec<String> = alike.map(|other| other.cell.clone()).collect();
        let reason = match &cell.field {
            Some(field) => format!("field `{field}`: {}", cell.reason),
            None => cell.reason.clone(),
        };
        let listed = look.listing(&names::of(&paths, look), |cells| {
            format!("{cells}: {reason}")
        });
        // What is lost is told in any case.
        text += &status(WARN, "Afresh", &listed);
    }
    text
}
