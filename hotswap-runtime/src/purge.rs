//! Proves that nothing in the process refers to an image, from one consistent view of its memory.
//!
//! Memory is scanned for words into the image while the program runs and the kernel notes which pages
//! are written. Then all threads are made to stand for a moment, and their registers, their stacks and
//! the pages written meanwhile are scanned too. What can't be read, stopped or asked is an [`Obstacle`],
//! and the image stays.

mod arena;
mod kernel;
mod maps;
mod scan;
mod stacks;
mod tracer;
mod words;

use std::ops::Range;
use std::time::Duration;

use scan::Scan;

/// What is to be proven free.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The image, from its first byte in memory to its last, gaps included.
    pub(crate) range: Range<usize>,
    /// Parts of it, from its start, which only the loader and unwinders refer to.
    pub(crate) ignored: Vec<Range<u32>>,
    /// Memory that is the loader's record of the image.
    pub(crate) left_out: Range<usize>,
    /// The code of the C library.
    pub(crate) library: Range<usize>,
}

/// Why nothing could be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Obstacle {
    #[error("{what}: {}", std::io::Error::from_raw_os_error(*error))]
    System { what: &'static str, error: i32 },
    #[error("the program runs under valgrind, where threads can't be stopped from without")]
    Valgrind,
    #[error("the program would have had to stand for longer than its budget")]
    Overtime,
    #[error("the process has more mappings, threads or registers than there is room for")]
    Tables,
    #[error("memory at {start:#x} to {end:#x} can't be read")]
    Unread { start: u64, end: u64 },
    #[error(
        "thread {thread} can't be traced ({}): a debugger or another tracer may have it",
        std::io::Error::from_raw_os_error(*error)
    )]
    NotTraced { thread: i32, error: i32 },
    #[error("thread {thread} could not be stopped")]
    NotStopped { thread: i32 },
    #[error("the process that was to stop the threads ended")]
    TracerEnded,
    #[error("there are too many references to list")]
    Many,
}

/// What one attempt found.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// Words into the image; none is the proof, unless there is an obstacle.
    pub(crate) found: Vec<Found>,
    pub(crate) obstacle: Option<Obstacle>,
    /// How long the program stood.
    pub(crate) stood: Duration,
    /// Bytes that were scanned, before and while it stood.
    pub(crate) scanned: (u64, u64),
    pub(crate) threads: usize,
}

/// A word into the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it is; 0 for a register.
    pub(crate) at: u64,
    /// The thread whose register or stack it is in.
    pub(crate) thread: Option<i32>,
    /// What it refers to, from the image's start.
    pub(crate) to: u32,
    /// The name of the mapping it is in.
    pub(crate) mapping: String,
}

/// Looks for references to the target. It takes at most `budget` of the program's time. To be called on
/// a thread of the runtime's own with all signals blocked, whose variables begin at `own_start`. `ask` is
/// called while all threads stand, and must neither allocate nor lock.
pub(crate) fn attempt(
    target: &Target,
    own_start: usize,
    budget: Duration,
    ask: impl FnOnce(),
) -> Attempt {
    let mut attempt = Attempt {
        found: Vec::new(),
        obstacle: None,
        stood: Duration::ZERO,
        scanned: (0, 0),
        threads: 0,
    };
    if is_under_valgrind() {
        attempt.obstacle = Some(Obstacle::Valgrind);
        return attempt;
    }
    match Scan::new(target, own_start) {
        Ok(mut scan) => {
            let library = target.library.start as u64..target.library.end as u64;
            attempt.make(&mut scan, budget, library, ask);
        }
        Err(obstacle) => attempt.obstacle = Some(obstacle),
    }
    attempt
}

impl Attempt {
    fn make(
        &mut self,
        scan: &mut Scan,
        budget: Duration,
        library: Range<u64>,
        ask: impl FnOnce(),
    ) {
        let mut outcome = scan.look_while_running();
        self.scanned.0 = scan.scanned;
        scan.confirm();
        if outcome == Err(Obstacle::Many) && scan.hits.is_empty() {
            // What was found is gone already; another attempt may find less.
            self.obstacle = Some(Obstacle::Many);
            return;
        }
        if outcome.is_ok() {
            let (stopped, stop) = tracer::look(scan, budget, library, ask);
            outcome = stopped;
            self.stood = stop.time;
        }
        self.scanned.1 = scan.scanned - self.scanned.0;
        self.threads = scan.threads.len();
        self.obstacle = outcome.err();
        self.found = scan.hits.iter().map(|hit| found(scan, hit)).collect();
    }
}

fn found(scan: &Scan, hit: &scan::Hit) -> Found {
    let mapping = scan.mappings.iter().find(|it| it.start <= hit.at && hit.at < it.end);
    let name = mapping.map(|it| it.name(scan.text())).unwrap_or_default();
    let on_stack = mapping.and_then(|mapping| {
        let holds = |pointer: u64| mapping.start <= pointer && pointer < mapping.end;
        let mut threads = scan.threads.iter().filter(|it| it.stands);
        threads.find(|it| holds(it.stack_pointer) && it.stack_pointer <= hit.at + 128)
    });
    Found {
        at: hit.at,
        thread: match hit.thread {
            0 => on_stack.map(|thread| thread.number),
            number => Some(number),
        },
        to: hit.to,
        mapping: String::from_utf8_lossy(name).into_owned(),
    }
}

/// Whether the processor is valgrind's, which takes a sequence of turns that does nothing elsewhere for
/// a question.
fn is_under_valgrind() -> bool {
    /// Asks whether there is a valgrind.
    const RUNNING_ON_VALGRIND: u64 = 0x1001;
    let question = [RUNNING_ON_VALGRIND, 0, 0, 0, 0, 0];
    let answer: u64;
    // SAFETY: the turns add up to whole ones and the exchange is with itself, so nothing changes but the
    // register of the answer, which valgrind sets.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") question.as_ptr(),
            inout("rdx") 0u64 => answer,
            inout("rdi") 0u64 => _,
            options(nostack),
        );
    }
    answer != 0
}

#[cfg(test)]
mod tests;
