//! State that goes from a program to the one that takes its place.
//!
//! It lies in a file in memory that has no name: whoever dies when, nothing is left behind, and nobody
//! finds it who could not look into the program itself.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use anyhow::{Context, Result};
use hotswap_protocol::frame;
use hotswap_protocol::saved::{LostCell, Record, RestoreReport, SaveReport, SavedCell};
use hotswap_protocol::state::Cell;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::engine::{Engine, migration};
use crate::events::{CarriedCell, Event, FreshCell};
use crate::facts::Cache;
use crate::host::Host;
use crate::records::Built;

/// A new file for a program to save its state in.
pub fn new_file() -> Option<File> {
    let file = memfd_create("hotswap-state", MemfdFlags::CLOEXEC);
    file.ok().map(File::from)
}

/// State on the way.
#[derive(Debug)]
pub struct Carried {
    /// Where it lies; none if there is none.
    pub file: Option<File>,
    /// What it is.
    pub report: SaveReport,
}

/// Has a program save its state in the file that it was started with, and addresses it to the one that
/// was built to take its place.
///
/// # Errors
///
/// The program does not answer, or can't save anything.
pub fn carry_over(engine: &mut Engine, file: Option<&File>, built: &Built) -> Result<Carried> {
    let report = engine.save()?;
    if report.saved.is_empty() {
        return Ok(Carried { file: None, report });
    }
    let file = file.context("the system gives no file in memory")?;
    let mut file = file.try_clone().context("could not pass on state")?;
    let host = Host::read(&built.executable, &built.units, &Cache::default())?;
    let mut cells = migration::base_cells(&host);
    engine.name_as_saved(&host, &mut cells);
    address(&mut file, cells)?;
    let file = Some(file);
    Ok(Carried { file, report })
}

/// Says in the file where the program that is to be started has its cells.
fn address(file: &mut File, cells: Vec<Cell>) -> Result<()> {
    let frame = frame::encode(&Record::Cells(cells))?;
    file.seek(SeekFrom::End(0))
        .and_then(|_| file.write_all(&frame))
        .context("could not pass on state")
}

/// Why a program is not started again: not all of its state would be there.
pub fn refusal(problem: &str, lost: &[LostCell]) -> Event {
    let mut message =
        "the program is not started again, for its state can't be carried over\n".to_owned();
    message += "   |\n";
    for line in problem.lines() {
        message += &format!("   | {line}\n");
    }
    for cell in lost {
        let field = cell.field.iter().map(|field| format!(", field `{field}`"));
        let field: String = field.collect();
        message += &format!("   | cell `{}`{field}: {}\n", cell.path, cell.reason);
    }
    message += "   |\n   = why: it was to be started again only with all state in cells\n   \
                = help: `cargo hotswap restart` starts it with what can be saved\n";
    Event::Refused {
        reason: "state-not-saved",
        message,
        items: lost.iter().map(|cell| cell.path.clone()).collect(),
        places: Vec::new(),
    }
}

/// What people and programs hear of it; none if there was nothing to save.
pub fn saved(report: SaveReport) -> Option<Event> {
    let SaveReport {
        saved,
        lost,
        pause_us,
    } = report;
    if saved.is_empty() && lost.is_empty() {
        return None;
    }
    Some(Event::Saved {
        cells: carried(saved),
        afresh: fresh(lost),
        pause_ms: pause_us as f64 / 1e3,
    })
}

/// What people and programs hear of it; none if there was nothing to restore.
pub fn restored(report: RestoreReport) -> Option<Event> {
    let RestoreReport {
        restored,
        lost,
        damage,
    } = report;
    if restored.is_empty() && lost.is_empty() && damage.is_none() {
        return None;
    }
    Some(Event::Restored {
        cells: carried(restored),
        afresh: fresh(lost),
        damage,
    })
}

fn carried(mut cells: Vec<SavedCell>) -> Vec<CarriedCell> {
    cells.sort_by(|a, b| a.path.cmp(&b.path));
    let carried = |cell: SavedCell| CarriedCell {
        cell: cell.path,
        bytes: cell.bytes,
    };
    cells.into_iter().map(carried).collect()
}

fn fresh(mut cells: Vec<LostCell>) -> Vec<FreshCell> {
    cells.sort_by(|a, b| a.path.cmp(&b.path));
    let fresh = |cell: LostCell| FreshCell {
        cell: cell.path,
        type_name: cell.type_name,
        field: cell.field,
        reason: cell.reason,
    };
    cells.into_iter().map(fresh).collect()
}
