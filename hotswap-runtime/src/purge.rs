//! Proves that nothing in the process refers to an image, from one consistent view of its memory.
//!
//! Memory is scanned for words into the image while the program runs and the kernel notes which pages
//! are written. Then all threads are made to stand for a moment, and their registers, their stacks and
//! the pages written meanwhile are scanned too. What can't be read, stopped or asked is an [`Obstacle`],
//! and the image stays.

pub(crate) mod arena;
mod heap;
mod kernel;
mod maps;
mod page;
mod scan;
mod stacks;
mod tracer;
mod words;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
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
    #[error(
        "the program runs under {checker}, which does not bear a process that shares its memory"
    )]
    Checked { checker: &'static str },
    #[error("the program would have had to stand for longer than its budget")]
    Overtime,
    #[error("the process has more mappings, threads or registers than there is room for")]
    Tables,
    #[error("memory at {start:#x} to {end:#x} can't be read")]
    Unread { start: u64, end: u64 },
    #[error(
        "thread {thread} can't be traced ({}): a debugger or another tracer may have it, or a filter forbids it, as in some \
         containers",
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

/// Finds out how the C library's heaps look, which is hard while other threads use the one that this thread
/// uses.
pub(crate) fn learn() {
    let _ = heap::heaps();
}

/// An attempt under way: what can be scanned while the program runs was scanned.
#[derive(Debug)]
pub(crate) struct Looked<'a> {
    target: &'a Target,
    scan: Option<Scan>,
    attempt: Attempt,
}

/// Looks for references to the target, as far as the program may run meanwhile. To be called on a thread
/// of the runtime's own with all signals blocked, whose variables begin at `own_start`.
pub(crate) fn look(target: &Target, own_start: usize) -> Looked<'_> {
    let mut attempt = Attempt {
        found: Vec::new(),
        obstacle: None,
        stood: Duration::ZERO,
        scanned: (0, 0),
        threads: 0,
    };
    let mut scan = None;
    if let Some(checker) = checker() {
        if !IS_LEFT_TO_CHECKER.load(Ordering::Relaxed) {
            attempt.obstacle = Some(Obstacle::Checked { checker });
        }
    } else {
        match Scan::new(target, own_start) {
            Ok(made) => scan = Some(made),
            Err(obstacle) => attempt.obstacle = Some(obstacle),
        }
    }
    if let Some(scan) = &mut scan {
        attempt.obstacle = scan.look_while_running().err();
        attempt.scanned.0 = scan.scanned;
        scan.confirm();
    }
    Looked {
        target,
        scan,
        attempt,
    }
}

impl Looked<'_> {
    /// Makes all threads stand, for at most `budget`, and looks at the rest. `ask` is called while they
    /// do, and must neither allocate nor lock.
    pub(crate) fn stop(mut self, budget: Duration, ask: impl FnOnce()) -> Attempt {
        let Some(scan) = &mut self.scan else {
            if self.attempt.obstacle.is_none() {
                ask();
            }
            return self.attempt;
        };
        let attempt = &mut self.attempt;
        if attempt.obstacle.is_none() {
            let library = &self.target.library;
            let library = library.start as u64..library.end as u64;
            let (outcome, time) = tracer::look(scan, budget, library, ask);
            attempt.obstacle = outcome.err();
            attempt.stood = time;
        }
        attempt.scanned.1 = scan.scanned - attempt.scanned.0;
        attempt.threads = scan.threads.len();
        let hits = scan.hits.iter().take(MOST_NAMED);
        attempt.found = hits.map(|hit| found(scan, hit)).collect();
        self.attempt
    }
}

/// More words than anybody would read about.
const MOST_NAMED: usize = 1 << 10;

fn found(scan: &Scan, hit: &scan::Hit) -> Found {
    let mapping = scan
        .mappings
        .iter()
        .find(|it| it.start <= hit.at && hit.at < it.end);
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

/// Whether images go without a proof where every access is checked.
static IS_LEFT_TO_CHECKER: AtomicBool = AtomicBool::new(false);

/// From now on, where every access is checked, images go without a proof: the checker tells who uses one that is gone.
pub(crate) fn leave_to_checker() {
    IS_LEFT_TO_CHECKER.store(true, Ordering::Relaxed);
}

/// Where AddressSanitizer begins to note what may be accessed.
const SHADOW: u64 = 0x7fff_8000;

/// What checks every access of the program, if anything does. Sanitizers keep records by thread, which the
/// tracer would share with another one.
fn checker() -> Option<&'static str> {
    if is_under_valgrind() {
        return Some("valgrind");
    }
    let sanitizers = [
        (c"__asan_init", "AddressSanitizer"),
        (c"__tsan_init", "ThreadSanitizer"),
        (c"__msan_init", "MemorySanitizer"),
    ];
    let is_there = |name: &std::ffi::CStr| {
        // SAFETY: the name is a C string; what is found is not used.
        !unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }.is_null()
    };
    let found = sanitizers.iter().find(|(name, _)| is_there(name));
    // An executable need not export its functions; but where its shadow lies is fixed.
    let shadow = || {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let address = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
        maps.lines().any(|line| {
            let range = line
                .split(' ')
                .next()
                .and_then(|range| range.split_once('-'));
            range.is_some_and(|(start, end)| (address(start)..address(end)).contains(&SHADOW))
        })
    };
    found
        .map(|(_, name)| *name)
        .or_else(|| shadow().then_some("AddressSanitizer"))
}

/// Whether the processor is valgrind's, which takes a sequence of turns that does nothing elsewhere for
/// a question.
pub(crate) fn is_under_valgrind() -> bool {
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
