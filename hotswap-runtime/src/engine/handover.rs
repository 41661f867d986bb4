//! What goes from this program to the one that takes its place: the files that the tool gives for it.
//!
//! The program that goes writes the values of its cells into one, the program that comes has read
//! where they are before `main`. Both are in memory and have no name, so nothing is left behind,
//! whoever dies when.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::panic::Location;
use std::sync::OnceLock;
use std::time::Instant;

use hotswap_protocol::checksum::Checksum;
use hotswap_protocol::frame::{self, FrameError};
use hotswap_protocol::message::ErrorCode;
use hotswap_protocol::saved::{FORMAT, LostCell, Record, RestoreReport, SaveReport, Value};
use hotswap_protocol::state::Cell;

use crate::engine::control::Failure;
use crate::engine::loaded;
use crate::engine::save;
use crate::engine::state;
use crate::live::lock::{Mode, NO_MARK, Patience, Who};
use crate::live::restore::{self, Saved};
use crate::transaction::limits;

/// A file that the tool has given.
#[derive(Debug)]
struct Given {
    file: File,
    /// Device and inode. The program may close descriptors that are not its own, and open others
    /// under their numbers.
    identity: (u64, u64),
}

static TO_SAVE: OnceLock<Given> = OnceLock::new();
static TO_RESTORE: OnceLock<Given> = OnceLock::new();

impl Given {
    /// Takes the inherited file with this number.
    fn adopt(number: &str) -> Option<Self> {
        let number: RawFd = number.parse().ok().filter(|number| *number > 2)?;
        // SAFETY: this command takes an integer; if the descriptor is not open, it fails.
        if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
            return None;
        }
        // SAFETY: it is open, and the tool made it for this purpose and gave it away.
        let file = unsafe { File::from_raw_fd(number) };
        match identity(&file) {
            Some(identity) => Some(Self { file, identity }),
            None => {
                // The variable came from elsewhere: it is the program's.
                std::mem::forget(file);
                None
            }
        }
    }

    /// The file, if it is still the one that was given.
    fn get(&self) -> Result<&File, String> {
        if identity(&self.file) == Some(self.identity) {
            Ok(&self.file)
        } else {
            Err("the program has closed the file that the tool gave it for that".to_owned())
        }
    }
}

/// Device and inode of a regular file without a name.
fn identity(file: &File) -> Option<(u64, u64)> {
    let status = file.metadata().ok()?;
    let is_ours = status.is_file() && status.nlink() == 0;
    is_ours.then(|| (status.dev(), status.ino()))
}

/// Takes the files that the program was started with, by their numbers.
pub(crate) fn adopt(save: Option<String>, restore: Option<String>) {
    if let Some(given) = save.as_deref().and_then(Given::adopt) {
        let _ = TO_SAVE.set(given);
    }
    if let Some(given) = restore.as_deref().and_then(Given::adopt) {
        let given = TO_RESTORE.get_or_init(|| given);
        begin(&given.file);
    }
}

/// Finds what is saved for which cell.
fn begin(file: &File) {
    let mut report = RestoreReport::default();
    let mut found = Contents::default();
    if let Err(problem) = found.read(file) {
        report.damage = Some(problem);
    }
    let handles = match loaded::executable() {
        Some(host) => state::handles(&found.cells, host).map_err(|problem| problem.to_string()),
        None => Err("the system does not tell where the executable lies".to_owned()),
    };
    let handles = handles.unwrap_or_else(|problem| {
        report.damage.get_or_insert(problem);
        Default::default()
    });
    let mut values = Vec::new();
    for (value, place) in found.values {
        match handles.get(&value.path) {
            Some(handle) => values.push(Saved {
                handle,
                value,
                place,
            }),
            None => report.lost.push(LostCell {
                path: value.path,
                type_name: value.type_name,
                field: None,
                reason: "the new code has no cell of this path".to_owned(),
            }),
        }
    }
    restore::begin(read, values, report);
}

/// Reads a part of the file that the program was started with.
fn read(place: Range<u64>) -> Result<Vec<u8>, String> {
    let given = TO_RESTORE.get().ok_or("there is no file")?;
    let file = given.get()?;
    let bytes = usize::try_from(place.end - place.start).map_err(|error| error.to_string())?;
    let mut content = vec![0; bytes];
    file.read_exact_at(&mut content, place.start)
        .map_err(|error| format!("what was saved can't be read: {error}"))?;
    Ok(content)
}

/// What stands in a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Contents {
    values: Vec<(Value, Range<u64>)>,
    cells: Vec<Cell>,
}

impl Contents {
    /// Reads the records; what comes before damage counts.
    fn read(&mut self, file: &File) -> Result<(), String> {
        let bytes = file.metadata().map_err(|error| error.to_string())?.len();
        let mut reader = At { file, position: 0 };
        let mut complete = false;
        loop {
            let record: Record = match frame::read(&mut reader) {
                Ok(record) => record,
                Err(FrameError::Closed) if complete => return Ok(()),
                Err(error) => return Err(format!("what was saved is damaged: {error}")),
            };
            match record {
                Record::Begin { format } if format != FORMAT => {
                    return Err(format!(
                        "the program before saved form {format}, this one knows form {FORMAT}"
                    ));
                }
                Record::Value(value) => {
                    let place = reader.position..reader.position.saturating_add(value.bytes);
                    if place.end > bytes {
                        return Err("what was saved is damaged: it ends too early".to_owned());
                    }
                    reader.position = place.end;
                    self.values.push((value, place));
                }
                Record::Cells(cells) => self.cells = cells,
                Record::End {} => complete = true,
                _ => {}
            }
        }
    }
}

/// A file that is read without moving the position that it has for others.
struct At<'a> {
    file: &'a File,
    position: u64,
}

impl Read for At<'_> {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read_at(part, self.position)?;
        self.position += bytes as u64;
        Ok(bytes)
    }
}

/// Restores what nobody has used yet, and tells what became of everything.
pub(crate) fn finish_restoring() -> RestoreReport {
    for handle in restore::unused() {
        let end = Instant::now() + limits().guards;
        let who = Who::me(Location::caller(), NO_MARK);
        let hold = handle
            .core()
            .hold(Mode::Exclusive, who, Patience::Until(end));
        // Whoever holds it longer makes the first value, or has made it.
        if let Some(mut hold) = hold {
            handle.restore(&mut hold);
        }
    }
    restore::report().unwrap_or_default()
}

/// Saves all cells that can be.
pub(crate) fn save(cells: &[Cell]) -> Result<SaveReport, Failure> {
    let refused = |reason: String| Failure::new(ErrorCode::SaveRefused, reason);
    let given = TO_SAVE.get();
    let given = given.ok_or_else(|| refused("the tool gave no file for that".to_owned()))?;
    let file = given.get().map_err(refused)?;
    let host = loaded::executable();
    let host = host.ok_or_else(|| refused("the executable can't be found".to_owned()))?;
    state::announce_base(cells, host).map_err(|error| Failure::new(error.code(), &error))?;
    let mut out = Out::begin(file).map_err(|error| refused(format!("no room: {error}")))?;
    let report = save::save(&mut out);
    out.end()
        .map_err(|error| refused(format!("no room: {error}")))?;
    Ok(report)
}

/// The file while it is written.
pub(crate) struct Out<'a> {
    file: &'a File,
    position: u64,
}

impl<'a> Out<'a> {
    fn begin(file: &'a File) -> io::Result<Self> {
        file.set_len(0)?;
        let mut out = Self { file, position: 0 };
        out.record(&Record::Begin { format: FORMAT })?;
        Ok(out)
    }

    /// How many bytes there are.
    pub(crate) fn bytes(&self) -> u64 {
        self.position
    }

    /// Adds a value, or leaves the file as it was.
    pub(crate) fn value(
        &mut self,
        path: &str,
        type_name: &str,
        bytes: &[u8],
    ) -> Result<(), String> {
        let mut checksum = Checksum::new();
        checksum.update(bytes);
        let before = self.position;
        let record = Record::Value(Value {
            path: path.to_owned(),
            type_name: type_name.to_owned(),
            bytes: bytes.len() as u64,
            checksum: checksum.finish(),
        });
        let written = self.record(&record).and_then(|()| self.write(bytes));
        written.map_err(|error| {
            self.position = before;
            let _ = self.file.set_len(before);
            format!("no room for its {} bytes: {error}", bytes.len())
        })
    }

    fn record(&mut self, record: &Record) -> io::Result<()> {
        let frame = frame::encode(record).map_err(io::Error::other)?;
        self.write(&frame)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.position.saturating_add(bytes.len() as u64);
        if end > largest_file() {
            // The system would send a signal, which ends the program.
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.file.write_all_at(bytes, self.position)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn end(mut self) -> io::Result<()> {
        self.record(&Record::End {})
    }
}

/// How large the process may make a file.
fn largest_file() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the call writes to this record alone.
    match unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } {
        0 => limit.rlim_cur,
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests;
