//! Saves the values of cells, all as they are at one moment.
//!
//! Guards first, of all cells together, so that nothing changes between the first value and the
//! last. Then each value is written on a thread of its own, since a function of the user's may never
//! return. What can't be had or written is named, and the others are saved nevertheless.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use hotswap_protocol::saved::{LostCell, MAX_BYTES, SaveReport, SavedCell};

use crate::convert::context::STACK_BYTES;
use crate::engine::handover::Out;
use crate::engine::listen::with_signals_blocked;
use crate::engine::state::Turn;
use crate::live::core::Hold;
use crate::live::facts::{Fault, Save, Saver};
use crate::live::handle::Handle;
use crate::live::lock::{Mode, NO_MARK, Patience, Who};
use crate::live::restore;
use crate::live::versions::{self, Cell};
use crate::on_swap::panic_message;
use crate::sync::{AtomicUsize, Ordering};
use crate::transaction::{self, SwapLimits, limits};

/// A cell that is saved.
struct Target {
    cell: Cell,
    handle: &'static Handle,
    saver: &'static Saver,
}

/// Saves all cells that are known.
pub(crate) fn save(out: &mut Out<'_>) -> SaveReport {
    let mut report = SaveReport::default();
    let mut targets = Vec::new();
    for cell in versions::all() {
        let Some(handle) = cell.handle else { continue };
        match &(cell.facts)().saver {
            Some(saver) => targets.push(Target {
                cell,
                handle,
                saver,
            }),
            None if is_used(handle) => lose(&mut report, &cell, Fault::new(restore::NOT_SAVED)),
            None => {}
        }
    }
    let limits = limits();
    let (holds, began) = take_guards(&targets, &limits);
    let mut writer = Writer::default();
    // Nothing changes until all is written.
    let holds: Vec<_> = holds.into_iter().map(|hold| hold.map(Arc::new)).collect();
    for (target, hold) in targets.iter().zip(&holds) {
        let saved = match hold {
            Some(hold) => target.save(hold, out, &mut writer, limits.functions),
            None => Err(Fault::new(transaction::busy(
                &target.cell.path,
                target.handle,
                limits.guards,
            ))),
        };
        match saved {
            Ok(Some(bytes)) => report.saved.push(SavedCell {
                path: target.cell.path.to_string(),
                bytes,
            }),
            Ok(None) => {}
            Err(fault) => lose(&mut report, &target.cell, fault),
        }
    }
    drop(holds);
    report.pause_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    report
}

fn lose(report: &mut SaveReport, cell: &Cell, Fault { field, reason }: Fault) {
    report.lost.push(LostCell {
        path: cell.path.to_string(),
        type_name: cell.type_name.to_string(),
        field,
        reason,
    });
}

/// Whether a cell has a value, or is to get one that was saved.
fn is_used(handle: &'static Handle) -> bool {
    let hold = handle.core().hold(Mode::Shared, myself(), Patience::None);
    // Who holds it alone has a value, or makes it.
    hold.is_none_or(|hold| !hold.value().is_null()) || restore::is_waiting(handle.address())
}

fn myself() -> Who {
    Who::me(Location::caller(), NO_MARK)
}

/// How long the first attempt holds guards while it waits for others.
const FIRST_ATTEMPT: Duration = Duration::from_millis(20);

/// How long any attempt does.
const LONGEST_ATTEMPT: Duration = Duration::from_millis(100);

/// The guards of all cells together, and since when there are any. At last those that can be had.
///
/// Each attempt is short, and gives back what it has: a thread may hold one of the cells and wait for
/// another one.
fn take_guards(targets: &[Target], limits: &SwapLimits) -> (Vec<Option<Hold<'static>>>, Instant) {
    let end = Instant::now() + limits.guards;
    let mut attempt = FIRST_ATTEMPT;
    loop {
        let began = Instant::now();
        // No call of an entry is in the middle of its work, as far as that can be had.
        let turn = Turn::take(limits.calls);
        let until = end.min(Instant::now() + attempt);
        let holds: Vec<_> = targets
            .iter()
            .map(|target| {
                let core = target.handle.core();
                core.hold(Mode::Shared, myself(), Patience::Until(until))
            })
            .collect();
        drop(turn);
        if holds.iter().all(Option::is_some) || Instant::now() >= end {
            return (holds, began);
        }
        drop(holds);
        // As long as the program waited, it runs.
        thread::sleep(began.elapsed());
        attempt = LONGEST_ATTEMPT.min(attempt * 2);
    }
}

impl Target {
    /// Saves the value, of so many bytes, if there is one.
    fn save(
        &self,
        hold: &Arc<Hold<'static>>,
        out: &mut Out<'_>,
        writer: &mut Writer,
        patience: Duration,
    ) -> Result<Option<u64>, Fault> {
        let Cell {
            path, type_name, ..
        } = &self.cell;
        let (type_name, bytes) = if hold.value().is_null() {
            // It was never used here, so it goes on as it came.
            match restore::bytes_of(self.handle.address()) {
                Some((value, bytes)) => (value.type_name, bytes.map_err(Fault::new)?),
                None => return Ok(None),
            }
        } else {
            let job = Job {
                hold: Arc::clone(hold),
                save: self.saver.save,
                room: MAX_BYTES.saturating_sub(out.bytes()),
            };
            (type_name.to_string(), writer.write(job, patience)?)
        };
        out.value(path, &type_name, &bytes).map_err(Fault::new)?;
        Ok(Some(bytes.len() as u64))
    }
}

/// A value that is to be written.
struct Job {
    /// Nobody changes it meanwhile, however long that takes.
    hold: Arc<Hold<'static>>,
    save: Save,
    /// How many bytes it may have.
    room: u64,
}

/// The thread that calls the program's functions. One that does not come back is left behind.
#[derive(Default)]
struct Writer {
    thread: Option<Working>,
}

struct Working {
    jobs: SyncSender<Job>,
    written: Receiver<Result<Vec<u8>, Fault>>,
    /// How many bytes it has written, as a sign of life.
    progress: Arc<AtomicUsize>,
}

impl Writer {
    fn write(&mut self, job: Job, patience: Duration) -> Result<Vec<u8>, Fault> {
        let gone = |_| Fault::new("the thread that saves it has ended");
        let working = match &self.thread {
            Some(working) => working,
            None => {
                let started = Working::start();
                let started = started
                    .map_err(|error| Fault::new(format!("no thread to save it: {error}")))?;
                self.thread.insert(started)
            }
        };
        working.jobs.send(job).map_err(|_| gone(()))?;
        let mut before = working.progress.load(Ordering::Relaxed);
        loop {
            match working.written.recv_timeout(patience) {
                Ok(written) => return written,
                Err(RecvTimeoutError::Disconnected) => return Err(gone(())),
                Err(RecvTimeoutError::Timeout) => {
                    let now = working.progress.load(Ordering::Relaxed);
                    if now == before {
                        self.thread = None;
                        let reason =
                            format!("its `Serialize` has not come further for {patience:?}");
                        return Err(Fault::new(reason));
                    }
                    before = now;
                }
            }
        }
    }
}

impl Working {
    fn start() -> io::Result<Self> {
        let (jobs, orders) = sync_channel::<Job>(1);
        let (tell, written) = sync_channel(1);
        let progress = Arc::new(AtomicUsize::new(0));
        let signs = Arc::clone(&progress);
        let work = move || {
            for job in orders {
                let outcome = job.write(&signs);
                drop(job);
                if tell.send(outcome).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new()
            .name("hotswap-save".to_owned())
            .stack_size(STACK_BYTES);
        with_signals_blocked(|| thread.spawn(work))?;
        Ok(Self {
            jobs,
            written,
            progress,
        })
    }
}

impl Job {
    fn write(&self, progress: &AtomicUsize) -> Result<Vec<u8>, Fault> {
        let mut buffer = Buffer::new(self.room, progress);
        // SAFETY: the cell is held, so its value is there and nobody changes it. The function came
        // with the layout that the value has, or stands in the handle of a cell that never changed.
        let call = || unsafe { (self.save)(self.hold.value(), &mut buffer) };
        let written = catch_unwind(AssertUnwindSafe(call));
        let written = written.unwrap_or_else(|panic| {
            let text = panic_message(panic);
            Err(Fault::new(format!("its `Serialize` panicked: {text}")))
        });
        written.map_err(|fault| match buffer.problem {
            Some(problem) => Fault {
                reason: problem,
                ..fault
            },
            None => fault,
        })?;
        Ok(buffer.bytes)
    }
}

/// Where a value is written. It takes no more than there is room for, and sees how deep the one who
/// writes has gone.
struct Buffer<'a> {
    bytes: Vec<u8>,
    room: u64,
    /// Why it takes no more.
    problem: Option<String>,
    progress: &'a AtomicUsize,
    /// Where the stack was before.
    stack: usize,
}

/// How much of the thread's stack values that are nested may take.
const DEEPEST_BYTES: usize = STACK_BYTES / 4 * 3;

impl<'a> Buffer<'a> {
    fn new(room: u64, progress: &'a AtomicUsize) -> Self {
        Self {
            bytes: Vec::new(),
            room,
            problem: None,
            progress,
            stack: std::ptr::from_ref(&room).addr(),
        }
    }
}

impl Write for Buffer<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let here = std::ptr::from_ref(&part).addr();
        let problem = if self.stack.saturating_sub(here) > DEEPEST_BYTES {
            "it is nested too deeply".to_owned()
        } else if (self.bytes.len() + part.len()) as u64 > self.room {
            let limit = MAX_BYTES >> 20;
            format!("all cells together may take {limit} MiB, and with this one they take more")
        } else {
            self.bytes.extend_from_slice(part);
            self.progress.fetch_add(part.len(), Ordering::Relaxed);
            return Ok(part.len());
        };
        self.problem = Some(problem);
        Err(io::Error::other("no room"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
