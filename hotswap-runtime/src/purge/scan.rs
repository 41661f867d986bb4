//! Looks through memory for words into an image: first while the program runs, then what is left while
//! its threads stand.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use super::arena::{Arena, Plain, Table};
use super::heap::{self, Heaps};
use super::kernel::{self, Ask, GUARD, OF_FILE, PRESENT, Pages, SWAPPED, Tracking, ZERO};
use super::maps::{self, Kind, Mapping};
use super::page::PAGE;
use super::stacks::{self, Descriptors};
use super::words::Wanted;
use super::{Obstacle, Target};

mod forgotten;
mod skipped;

/// A range of addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
}

// SAFETY: integers.
unsafe impl Plain for Span {}

/// A word into the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    /// Where it is in memory. 0 for a register.
    pub(super) at: u64,
    /// The thread whose register it is.
    pub(super) thread: i32,
    /// What it refers to, from the image's start: the scan must not find what it has found.
    pub(super) to: u32,
}

// SAFETY: integers.
unsafe impl Plain for Hit {}

/// A thread of the program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thread {
    pub(super) number: i32,
    pub(super) stands: bool,
    pub(super) stack_pointer: u64,
    /// Its descriptor.
    pub(super) descriptor: u64,
}

// SAFETY: integers and a boolean.
unsafe impl Plain for Thread {}

const IGNORED: usize = 16;
const MAPPINGS: usize = 1 << 16;
const TEXT_BYTES: usize = 16 << 20;
pub(super) const THREADS: usize = 1 << 16;
const SKIPPED: usize = 1 << 17;
/// Most words are in free memory, and a migration of many values leaves very many.
const HITS: usize = 1 << 16;
const PIECES: usize = 1 << 10;
const COPY_BYTES: usize = 256 << 10;
/// What is scanned between two looks at the clock.
const STRIDE: u64 = 1 << 20;

/// Mappings smaller than this are scanned while threads stand.
const TRACKED_BYTES: u64 = 256 << 10;
/// Rounds through what was written meanwhile end when there is no more than this.
const LITTLE: u64 = 1 << 20;
const ROUNDS: usize = 4;

/// The files of this process that tell of its memory.
#[derive(Debug)]
pub(super) struct Files {
    maps: File,
    pagemap: File,
    memory: File,
    pub(super) tasks: File,
}

impl Files {
    fn open() -> io::Result<Self> {
        Ok(Self {
            maps: File::open("/proc/self/maps")?,
            pagemap: File::open("/proc/self/pagemap")?,
            memory: File::open("/proc/self/mem")?,
            tasks: File::open("/proc/self/task")?,
        })
    }
}

/// One attempt.
#[derive(Debug)]
pub(super) struct Scan {
    wanted: Wanted,
    start: u64,
    ignored: [(u32, u32); IGNORED],
    left_out: Range<u64>,
    pub(super) pid: i32,
    /// The thread that scans.
    pub(super) asker: i32,
    pub(super) files: Files,
    descriptors: Option<Descriptors>,
    heaps: Option<Heaps>,
    /// The stack of the thread that scans, up to its first function.
    own_stack: Range<u64>,
    pub(super) mappings: Table<Mapping>,
    text: Table<u8>,
    skipped: Table<Span>,
    tracked: Table<Span>,
    again: Table<Span>,
    pub(super) hits: Table<Hit>,
    /// Blocks with such words that may be free: threads have lists of those.
    listed: Table<Span>,
    pub(super) threads: Table<Thread>,
    /// Whether the kernel can be asked for written pages alone.
    is_written_sound: bool,
    /// What the kernel tells of pages.
    properties: u64,
    written: Table<Pages>,
    pages: Table<Pages>,
    buffer: Table<u8>,
    tracking: Option<Tracking>,
    /// By the monotonic clock; none while the program runs.
    pub(super) deadline: Option<Duration>,
    pub(super) scanned: u64,
    arena: Arena,
}

impl Scan {
    /// Prepares tables for a scan by this thread, whose first function's variables begin at `own_start`.
    pub(super) fn new(target: &Target, own_start: usize) -> Result<Self, Obstacle> {
        let no_files = |error: io::Error| Obstacle::System {
            what: "the process's files in /proc",
            error: error.raw_os_error().unwrap_or(0),
        };
        let files = Files::open().map_err(no_files)?;
        let mut arena = Arena::new(96 << 20).map_err(|_| Obstacle::Tables)?;
        let mut ignored = [(0, 0); IGNORED];
        for (place, range) in ignored.iter_mut().zip(&target.ignored) {
            *place = (range.start, range.end);
        }
        let properties = kernel::properties(&files.pagemap, arena.range().start as u64);
        let left_out = target.left_out.start as u64..target.left_out.end as u64;
        Ok(Self {
            wanted: Wanted::new(&target.range),
            start: target.range.start as u64,
            ignored,
            left_out,
            pid: std::process::id().cast_signed(),
            // SAFETY: the call has no preconditions.
            asker: unsafe { libc::gettid() },
            files,
            descriptors: stacks::descriptors(),
            heaps: heap::heaps(),
            own_stack: 0..own_start as u64,
            mappings: arena.table(MAPPINGS),
            text: arena.table(TEXT_BYTES),
            skipped: arena.table(SKIPPED),
            tracked: arena.table(MAPPINGS),
            again: arena.table(PIECES),
            hits: arena.table(HITS),
            listed: arena.table(HITS),
            threads: arena.table(THREADS),
            is_written_sound: kernel::is_written_sound(),
            properties,
            written: arena.table(PIECES),
            pages: arena.table(PIECES),
            buffer: arena.table(COPY_BYTES),
            tracking: None,
            deadline: None,
            scanned: 0,
            arena,
        })
    }

    /// The arena's piece of so many bytes.
    pub(super) fn bytes(&mut self, bytes: usize) -> *mut u8 {
        self.arena.bytes(bytes)
    }

    /// Scans what can be tracked, while the program runs. Words that are found may be gone by now.
    pub(super) fn look_while_running(&mut self) -> Result<(), Obstacle> {
        self.read_maps()?;
        // Where the kernel or a filter does not allow it, all is left for later.
        let Ok(tracking) = Tracking::begin() else {
            return Ok(());
        };
        self.skip_in_general()?;
        for index in 0..self.mappings.len() {
            let mapping = self.mappings[index];
            let is_worth_it = mapping.end - mapping.start >= TRACKED_BYTES
                && mapping.is_writable()
                && mapping.kind() == Kind::Memory
                && self.stack_of(&mapping, false).is_none();
            let span = Span {
                start: mapping.start,
                end: mapping.end,
            };
            if is_worth_it && tracking.add(span.start, span.end).is_ok() {
                self.mappings[index].tracked = true;
                self.tracked.push(span);
            }
        }
        self.tracking = Some(tracking);
        for _ in 0..ROUNDS {
            let before = self.scanned;
            for index in 0..self.mappings.len() {
                let mapping = self.mappings[index];
                if mapping.tracked {
                    self.look_at(&mapping, Ask::WrittenAndTrack, false)?;
                }
            }
            if self.scanned - before <= LITTLE {
                break;
            }
        }
        Ok(())
    }

    /// A word of this process's memory, if it can be read.
    pub(super) fn word(&self, at: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let copied = kernel::copy(self.pid, at, &mut bytes, &self.files.memory);
        (copied == bytes.len()).then(|| u64::from_ne_bytes(bytes))
    }

    /// Scans all that may differ from what was scanned before, and all that could not be. The threads
    /// stand, with their registers in the table.
    pub(super) fn look_while_standing(&mut self) -> Result<(), Obstacle> {
        // What was found before is found again only if it was written since; it is kept.
        self.read_maps()?;
        self.skip_in_general()?;
        self.skip_stacks()?;
        for index in 0..self.mappings.len() {
            let mapping = self.mappings[index];
            match mapping.kind() {
                Kind::Kernel => {}
                Kind::Device => self.scan(mapping.start, mapping.end, false)?,
                Kind::Memory | Kind::FirstStack => {
                    self.look_at(&mapping, Ask::Unknown, mapping.is_plain())?;
                }
            }
        }
        for index in 0..self.again.len() {
            let span = self.again[index];
            if self
                .mappings
                .iter()
                .any(|it| it.start < span.end && span.start < it.end)
            {
                self.scan(span.start, span.end, false)?;
            }
        }
        Ok(())
    }

    /// Scans the pages of a mapping that are asked for.
    fn look_at(&mut self, mapping: &Mapping, ask: Ask, in_place: bool) -> Result<(), Obstacle> {
        let mut at = mapping.start;
        if !self.is_written_sound {
            return self.look_within(mapping, at, mapping.end, ask, in_place);
        }
        while at < mapping.end {
            let room = self.written.room();
            let asked = (Ask::Written, self.properties);
            let found = kernel::pages(&self.files.pagemap, asked, at, mapping.end, room);
            let (count, next) = match found {
                Ok(found) => found,
                Err(libc::EPERM) => {
                    return self.look_within(mapping, at, mapping.end, ask, in_place);
                }
                Err(error) => return Err(no_list(error)),
            };
            for index in 0..count {
                let Pages { start, end, .. } = self.written.room()[index];
                self.look_within(mapping, start, end, ask, in_place)?;
            }
            if next <= at {
                return Err(Obstacle::Tables);
            }
            at = next;
        }
        Ok(())
    }

    /// The same for a part of it.
    fn look_within(
        &mut self,
        mapping: &Mapping,
        start: u64,
        end: u64,
        ask: Ask,
        in_place: bool,
    ) -> Result<(), Obstacle> {
        let mut at = start;
        while at < end {
            let asked = (ask, self.properties);
            let found = kernel::pages(&self.files.pagemap, asked, at, end, self.pages.room());
            let (count, next) = found.map_err(no_list)?;
            for index in 0..count {
                let pages = self.pages.room()[index];
                let is_there = pages.properties & (PRESENT | SWAPPED) != 0;
                let is_empty = pages.properties & (ZERO | GUARD) != 0;
                // A page of the file itself holds what the file holds, and no address.
                let is_file = mapping.is_private() && pages.properties & OF_FILE != 0;
                if is_there && !is_empty && !is_file {
                    self.scan(pages.start, pages.end, in_place)?;
                }
            }
            if next <= at {
                return Err(Obstacle::Tables);
            }
            at = next;
        }
        Ok(())
    }

    /// Scans a range but for what is left out.
    fn scan(&mut self, start: u64, end: u64, in_place: bool) -> Result<(), Obstacle> {
        let mut at = start;
        let mut skip = self.skipped.partition_point(|span| span.end <= start);
        while at < end {
            let skipped = self.skipped.get(skip).copied();
            let piece_end = skipped.map_or(end, |span| span.start.clamp(at, end));
            if in_place {
                self.scan_in_place(at, piece_end)?;
            } else {
                self.scan_copy(at, piece_end)?;
            }
            at = skipped.map_or(end, |span| span.end);
            skip += 1;
        }
        Ok(())
    }

    fn scan_in_place(&mut self, start: u64, end: u64) -> Result<(), Obstacle> {
        let mut at = start;
        while at < end {
            self.check_time()?;
            let stop = end.min(at + STRIDE);
            while at < stop {
                // SAFETY: the pages are there and may be read, and nobody changes what is mapped, since
                // all threads stand but this one. If that is wrong, this process ends, which is not the
                // program but its tracer, and that is noticed.
                at = unsafe { self.wanted.find(at as usize, stop as usize) } as u64;
                if at < stop {
                    // SAFETY: as above.
                    let word = unsafe {
                        std::ptr::with_exposed_provenance::<u64>(at as usize).read_volatile()
                    };
                    self.note(at, 0, word)?;
                    at += 8;
                }
            }
        }
        self.scanned += end - start;
        Ok(())
    }

    fn scan_copy(&mut self, start: u64, end: u64) -> Result<(), Obstacle> {
        let mut at = start;
        while at < end {
            self.check_time()?;
            let bytes = (end - at).min(COPY_BYTES as u64) as usize;
            let room = &mut self.buffer.room()[..bytes];
            let copied = kernel::copy(self.pid, at, room, &self.files.memory) & !7;
            if copied == 0 {
                // While the program runs it may just have been unmapped.
                let page_end = end.min((at / PAGE + 1) * PAGE);
                let span = Span {
                    start: at,
                    end: page_end,
                };
                if self.deadline.is_some() || !self.again.push(span) {
                    return Err(Obstacle::Unread { start: at, end });
                }
                at = page_end;
                continue;
            }
            let from = self.buffer.room().as_ptr().expose_provenance();
            let mut place = from;
            loop {
                // SAFETY: so many bytes of the buffer were just written.
                place = unsafe { self.wanted.find(place, from + copied) };
                if place == from + copied {
                    break;
                }
                // SAFETY: as above.
                let word = unsafe { std::ptr::with_exposed_provenance::<u64>(place).read() };
                self.note(at + (place - from) as u64, 0, word)?;
                place += 8;
            }
            at += copied as u64;
            self.scanned += copied as u64;
        }
        Ok(())
    }

    /// Notes a word that was read, if it refers to the image.
    pub(super) fn note(&mut self, at: u64, thread: i32, word: u64) -> Result<(), Obstacle> {
        let Some(address) = self.wanted.address(word) else {
            return Ok(());
        };
        let to = (address - self.start) as u32;
        if self
            .ignored
            .iter()
            .any(|(start, end)| (*start..*end).contains(&to))
        {
            return Ok(());
        }
        let hit = Hit { at, thread, to };
        if self.hits.push(hit) {
            return Ok(());
        }
        // Some are told twice: once when they were found, and once if their page was written since.
        self.sort_hits();
        match self.hits.push(hit) {
            true => Ok(()),
            false => Err(Obstacle::Many),
        }
    }

    fn check_time(&self) -> Result<(), Obstacle> {
        match self.deadline {
            Some(deadline) if now() > deadline => Err(Obstacle::Overtime),
            _ => Ok(()),
        }
    }

    fn read_maps(&mut self) -> Result<(), Obstacle> {
        let mut length = 0;
        loop {
            let room = &mut self.text.room()[length..];
            if room.is_empty() {
                return Err(Obstacle::Tables);
            }
            // SAFETY: the kernel writes at most so many bytes to the room.
            let read = unsafe {
                let descriptor = self.files.maps.as_raw_fd();
                libc::pread(
                    descriptor,
                    room.as_mut_ptr().cast(),
                    room.len(),
                    length as i64,
                )
            };
            match usize::try_from(read) {
                Ok(0) => break,
                Ok(bytes) => length += bytes,
                Err(_) => {
                    let what = "the list of mappings";
                    let error = kernel::errno();
                    return Err(Obstacle::System { what, error });
                }
            }
        }
        self.text.set_length(length);
        if !maps::read(&self.text, &mut self.mappings) {
            return Err(Obstacle::Tables);
        }
        Ok(())
    }

    /// The text of the last list of mappings.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }
}

fn no_list(error: i32) -> Obstacle {
    let what = "the list of pages (PAGEMAP_SCAN, since Linux 6.7)";
    Obstacle::System { what, error }
}

/// The monotonic clock.
pub(super) fn now() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes to `time`.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
