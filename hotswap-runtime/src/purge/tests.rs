//! References of every kind to a made-up image, in this very process.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard};

use super::*;

/// One attempt at a time: what another made up would be found, and a thread has one tracer.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> Option<MutexGuard<'static, ()>> {
    if let Some(checker) = checker() {
        println!("NOT TESTED: {checker}");
        return None;
    }
    Some(TURN.lock().unwrap_or_else(|turn| turn.into_inner()))
}

/// Addresses are tested at which nothing was ever mapped, so that no word is left from that.
static NEXT: AtomicUsize = AtomicUsize::new(0x1234_5000_0000);

/// A range that stands for an image. It need not be there.
struct Made(Range<usize>);

impl Made {
    fn new() -> Self {
        let start = NEXT.fetch_add(1 << 20, Ordering::Relaxed);
        Self(start..start + (1 << 16))
    }

    /// An address inside that is looked for.
    fn address(&self) -> usize {
        self.0.start + 0x1230
    }

    fn attempt(&self) -> Attempt {
        self.attempt_within(Duration::from_secs(2))
    }

    /// Attempts on a thread of its own, which leaves no word behind.
    fn attempt_within(&self, budget: Duration) -> Attempt {
        let target = Target {
            range: self.0.clone(),
            ignored: [0..64, 128..130].to_vec(),
            left_out: 0..0,
            library: 0..0,
        };
        let thread = std::thread::spawn(move || {
            block_signals();
            let here = 0u8;
            let start = (&raw const here).expose_provenance();
            look(&target, start + 4096).stop(budget, || ())
        });
        thread.join().unwrap()
    }

    /// Where words are found. The test's own stack has the address too.
    fn places(&self) -> Vec<Found> {
        let attempt = self.attempt();
        assert_eq!(attempt.obstacle, None, "{attempt:?}");
        attempt.found
    }
}

fn block_signals() {
    // SAFETY: all-zero bytes are a set, which the first call fills.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
    }
}

fn is_at<T>(place: &T) -> impl Fn(&Found) -> bool {
    let at = std::ptr::from_ref(place).addr() as u64;
    move |found| found.at == at
}

#[test]
fn a_word_in_the_heap_is_found_until_it_is_gone() {
    let Some(_turn) = turn() else { return };
    let made = Made::new();
    let mut word = Box::new(made.address());
    let mut many = vec![0usize; 1 << 20];
    many[1 << 19] = made.address();
    let found = made.places();
    assert!(found.iter().any(is_at(&*word)), "{found:?}");
    assert!(found.iter().any(is_at(&many[1 << 19])), "{found:?}");
    assert!(found.iter().all(|found| found.to == 0x1230), "{found:?}");
    *word = 0;
    many[1 << 19] = 0;
    let found = made.places();
    assert!(!found.iter().any(is_at(&*word)), "{found:?}");
    assert!(!found.iter().any(is_at(&many[1 << 19])), "{found:?}");
}

/// The C library guards stacks like this since 2.42.
#[test]
fn guards_are_not_read() {
    const GUARD_INSTALL: libc::c_int = 102;
    const PAGE: usize = 4096;
    let Some(_turn) = turn() else { return };
    let made = Made::new();
    for pages in [16, 256] {
        let bytes = pages * PAGE;
        // SAFETY: a new mapping, of which all is written but what is guarded.
        let (start, outcome) = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let start = libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0);
            assert_ne!(start, libc::MAP_FAILED);
            start.cast::<u8>().write_bytes(1, bytes);
            let guarded = |page| libc::madvise(start.byte_add(page * PAGE), PAGE, GUARD_INSTALL);
            (start, guarded(3) | guarded(pages - 1))
        };
        if outcome == -1 {
            println!("NOT TESTED: there are no guards before Linux 6.13");
        }
        // SAFETY: the word lies in the first page, which is no guard.
        let word = unsafe { &mut *start.cast::<usize>() };
        *word = made.address();
        let found = made.places();
        assert!(found.iter().any(is_at(word)), "{found:?}");
        *word = 0;
        // SAFETY: the mapping is this test's own.
        unsafe { libc::munmap(start, bytes) };
    }
}

static STATE: AtomicUsize = AtomicUsize::new(0);

#[test]
fn words_in_statics_and_disguised_ones_are_found() {
    let Some(_turn) = turn() else { return };
    let made = Made::new();
    let wanted = words::Wanted::new(&made.0);
    for word in [
        made.address(),
        wanted.disguise(made.address() as u64) as usize,
    ] {
        STATE.store(word, Ordering::Relaxed);
        assert!(made.places().iter().any(is_at(&STATE)));
    }
    STATE.store(0, Ordering::Relaxed);
    assert!(!made.places().iter().any(is_at(&STATE)));
}

#[test]
fn a_thread_is_named_by_its_stack_and_by_its_registers() {
    let Some(_turn) = turn() else { return };
    let made = Made::new();
    let address = made.address();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (ready, is_ready) = channel();
        let on_stack = {
            let (ready, stop) = (ready.clone(), &stop);
            scope.spawn(move || {
                let word = std::hint::black_box([address; 1]);
                // SAFETY: the call has no preconditions.
                ready.send(unsafe { libc::gettid() }).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    std::thread::park();
                }
                std::hint::black_box(word);
            })
        };
        let first = is_ready.recv().unwrap();
        let stop_word = &stop;
        scope.spawn(move || {
            // SAFETY: the call has no preconditions.
            ready.send(unsafe { libc::gettid() }).unwrap();
            // SAFETY: it reads a flag until that is set.
            unsafe {
                std::arch::asm!(
                    "movq xmm9, {word}",
                    "xor {word:e}, {word:e}",
                    "2: pause",
                    "cmp byte ptr [{flag}], 0",
                    "je 2b",
                    word = inout(reg) address => _,
                    flag = in(reg) stop_word.as_ptr(),
                    out("xmm9") _,
                );
            }
        });
        let second = is_ready.recv().unwrap();
        let Attempt {
            found, obstacle, ..
        } = made.attempt();
        stop.store(true, Ordering::Relaxed);
        on_stack.thread().unpark();
        assert_eq!(obstacle, None);
        let has = |thread, register| {
            let mut found = found.iter();
            found.any(|found| found.thread == Some(thread) && (found.at == 0) == register)
        };
        assert!(has(first, false), "{found:?}");
        assert!(has(second, true), "{found:?}");
    });
}

#[test]
fn memory_of_every_sort_is_read() {
    let Some(_turn) = turn() else { return };
    let made = Made::new();
    let bytes = 16 << 20;
    let map = |flags, descriptor| {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                protection,
                flags,
                descriptor,
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED);
        // SAFETY: the mapping is larger, and nobody else's. In huge pages it is only if nothing of it was there before.
        unsafe {
            libc::madvise(start, bytes, libc::MADV_HUGEPAGE);
            start.cast::<usize>().add(1000).write(made.address());
        }
        start as u64 + 8000
    };
    // SAFETY: the name is a C string.
    let file = unsafe { libc::memfd_create(c"purge-test".as_ptr(), 0) };
    // SAFETY: the descriptor is open.
    unsafe { libc::ftruncate(file, bytes as i64) };
    let exe = std::fs::File::open("/proc/self/exe").unwrap();
    let exe = std::os::fd::AsRawFd::as_raw_fd(&exe);
    let places = [
        map(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1),
        map(libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1),
        map(libc::MAP_SHARED, file),
        map(libc::MAP_PRIVATE, exe),
    ];
    let first = std::ptr::with_exposed_provenance_mut((places[0] - 8000) as usize);
    for protection in [
        libc::PROT_READ | libc::PROT_WRITE,
        libc::PROT_READ,
        libc::PROT_NONE,
    ] {
        // SAFETY: the mapping is this test's own.
        unsafe { libc::mprotect(first, bytes, protection) };
        let found = made.places();
        for place in places {
            assert!(
                found.iter().any(|found| found.at == place),
                "{place:#x}: {found:?}"
            );
        }
    }
    for place in places {
        let start = std::ptr::with_exposed_provenance_mut((place - 8000) as usize);
        // SAFETY: as above.
        unsafe { libc::munmap(start, bytes) };
    }
    // SAFETY: as above.
    unsafe { libc::close(file) };
}

#[test]
fn what_ended_threads_leave_is_no_reference() {
    let Some(_turn) = turn() else { return };
    let made = Made::new();
    let address = made.address();
    let before = made.places().len();
    for _ in 0..4 {
        std::thread::spawn(move || {
            let words = std::hint::black_box([address; 4000]);
            std::hint::black_box(words);
        })
        .join()
        .unwrap();
    }
    let found = made.places();
    assert!(found.len() < before + 100, "{found:?}");
}

#[test]
fn the_program_stands_no_longer_than_its_budget() {
    let Some(_turn) = turn() else { return };
    let made = Made::new();
    let target = Target {
        range: made.0.clone(),
        ignored: Vec::new(),
        left_out: 0..0,
        library: 0..0,
    };
    let thread = std::thread::spawn(move || {
        block_signals();
        look(&target, 0).stop(Duration::ZERO, || ())
    });
    let attempt = thread.join().unwrap();
    assert_eq!(attempt.obstacle, Some(Obstacle::Overtime));
}

#[test]
fn threads_are_born_and_die_meanwhile() {
    let Some(_turn) = turn() else { return };
    let made = Made::new();
    let word = Box::new(made.address());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::spawn(|| std::hint::black_box(vec![1u8; 5000]))
                        .join()
                        .unwrap();
                }
            });
        }
        let attempts: Vec<_> = (0..50).map(|_| made.attempt()).collect();
        stop.store(true, Ordering::Relaxed);
        for attempt in attempts {
            assert_eq!(attempt.obstacle, None);
            assert!(attempt.found.iter().any(is_at(&*word)), "{attempt:?}");
        }
    });
}

/// A pipe, as descriptors to read from and to write to.
fn pipe() -> [i32; 2] {
    let mut ends = [0; 2];
    // SAFETY: the call writes two descriptors.
    let outcome = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(outcome, 0);
    ends
}

fn write(descriptor: i32) {
    // SAFETY: the byte is a constant.
    let written = unsafe { libc::write(descriptor, c"x".as_ptr().cast(), 1) };
    assert_eq!(written, 1);
}

fn wait_for_byte(descriptor: i32) {
    let mut byte = 0u8;
    // SAFETY: the byte is a live local.
    unsafe { libc::read(descriptor, (&raw mut byte).cast(), 1) };
}

#[test]
fn a_thread_that_somebody_else_traces_is_named() {
    let Some(_turn) = turn() else { return };
    let made = Made::new();
    let (ready, end) = (pipe(), pipe());
    let (told, is_told) = channel();
    let sleeper = std::thread::spawn(move || {
        // SAFETY: the call has no preconditions.
        told.send(unsafe { libc::gettid() }).unwrap();
        wait_for_byte(end[0]);
    });
    let thread = is_told.recv().unwrap();
    // SAFETY: the child makes system calls only.
    let debugger = unsafe { libc::fork() };
    if debugger == 0 {
        // SAFETY: as above; the request stops nothing.
        unsafe {
            libc::ptrace(libc::PTRACE_SEIZE, thread, 0, 0);
            libc::write(ready[1], c"x".as_ptr().cast(), 1);
            loop {
                libc::pause();
            }
        }
    }
    wait_for_byte(ready[0]);
    let attempt = made.attempt();
    // SAFETY: the process is this test's own child.
    unsafe {
        libc::kill(debugger, libc::SIGKILL);
        libc::waitpid(debugger, std::ptr::null_mut(), 0);
    }
    write(end[1]);
    sleeper.join().unwrap();
    let expected = Obstacle::NotTraced {
        thread,
        error: libc::EPERM,
    };
    assert_eq!(attempt.obstacle, Some(expected));
}

extern "C" fn wait_in_child(argument: *mut libc::c_void) -> i32 {
    wait_for_byte(argument.addr() as i32);
    0
}

#[test]
fn a_thread_that_waits_for_a_child_which_shares_its_memory_ends_the_attempt() {
    let Some(_turn) = turn() else { return };
    let made = Made::new();
    let end = pipe();
    let (ready, is_ready) = channel();
    let parent = std::thread::spawn(move || {
        let mut stack = vec![0u8; 1 << 16];
        let top = stack.as_mut_ptr_range().end.map_addr(|end| end & !15);
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let argument = std::ptr::without_provenance_mut(end[0] as usize);
        ready.send(()).unwrap();
        // SAFETY: the child has a stack of its own, reads one byte and ends, and this waits for that.
        unsafe {
            let child = libc::clone(wait_in_child, top.cast(), flags, argument);
            assert!(child > 0);
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
    });
    is_ready.recv().unwrap();
    // The thread may not be there yet: then it stands like any other, and the next attempt meets it.
    let mut attempts = (0..1000).map(|_| made.attempt_within(Duration::from_millis(50)));
    let gives_up = |attempt: &Attempt| attempt.obstacle == Some(Obstacle::Overtime);
    assert!(attempts.any(|attempt| gives_up(&attempt)));
    write(end[1]);
    parent.join().unwrap();
    assert_eq!(made.attempt().obstacle, None);
}

#[test]
fn forks_and_system_calls_go_on() {
    let Some(_turn) = turn() else { return };
    let made = Made::new();
    let stop = AtomicBool::new(false);
    let attempts: Vec<Attempt> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let status = std::process::Command::new("true").status();
                assert!(status.is_ok_and(|status| status.success()));
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let started = std::time::Instant::now();
                std::thread::sleep(Duration::from_millis(5));
                assert!(started.elapsed() >= Duration::from_millis(5));
                // SAFETY: the child ends at once.
                unsafe {
                    match libc::fork() {
                        0 => libc::_exit(0),
                        child => assert_eq!(libc::waitpid(child, std::ptr::null_mut(), 0), child),
                    }
                }
            }
        });
        let attempts = (0..50).map(|_| made.attempt()).collect();
        stop.store(true, Ordering::Relaxed);
        attempts
    });
    for attempt in attempts {
        assert_eq!(attempt.obstacle, None);
    }
}
