//! Takes the images of old versions out of memory: those that are proven to be referred to by nobody.
//!
//! One thread of the runtime's own does it, after swaps and when somebody asks, and tries again by itself,
//! less and less often. First the runtime's own books are asked, which costs next to nothing; then memory
//! is scanned (`crate::purge`). Whatever stands against it, the image stays, and the version's status says
//! what.

mod holders;
mod signals;
mod symbols;

use std::fs;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use hotswap_protocol::hook::When;
use hotswap_protocol::purge::{Holder, HolderKind, Kept, Manner, PurgeReport, PurgedVersion};

use crate::engine::fork;
use crate::engine::hooks::Hooks;
use crate::engine::listen;
use crate::engine::loaded;
use crate::engine::version::old::{self, Candidate, Of};
use crate::live::versions;
use crate::on_swap::{self, Swap};
use crate::pieces::chain;
use crate::purge::{self, Attempt, Target};
use crate::server::{registry, system};
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};
use crate::table;
use crate::work::{self, WorkKind};
use signals::Signals;

/// For how many microseconds the program may stand.
static BUDGET_US: AtomicU64 = AtomicU64::new(10_000);

const LONGEST_BUDGET_US: u64 = 60_000_000;

/// From a swap to the first attempt, and between the first ones. Each later pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often memory is looked through in an attempt, where what is found may pass, and the pause between.
const LOOKS: u32 = 3;
const BREATH: Duration = Duration::from_millis(3);

/// Between two looks at whether a client's swap is over.
const LOOK: Duration = Duration::from_millis(5);

/// How long threads and tasks that were told to end are waited for before it is looked who refers to what.
const ENDING: Duration = Duration::from_millis(200);

/// The C library gives new threads the stacks of ended ones, and what is left there above this thread's first
/// function would count. Of this size it has none.
const FRESH_STACK: usize = 32 << 20;

/// Memory of this thread's that begins above its first function's variables: the frames that lead there.
const FRAME_BYTES: usize = 256;

/// Whether nothing is purged by itself.
static ONLY_WHEN_ASKED: AtomicU32 = AtomicU32::new(0);

/// What the thread is told.
enum Order {
    /// There was a swap.
    Swapped,
    /// Somebody asks.
    Asked(Manner, SyncSender<PurgeReport>),
}

static ORDERS: Mutex<Option<Sender<Order>>> = Mutex::new(None);

/// Sets for how long the program may stand.
pub(crate) fn set_budget(budget: Duration) {
    let budget = u64::try_from(budget.as_micros()).unwrap_or(u64::MAX);
    BUDGET_US.store(budget.min(LONGEST_BUDGET_US), Ordering::Relaxed);
}

fn budget() -> Duration {
    Duration::from_micros(BUDGET_US.load(Ordering::Relaxed))
}

/// From now on purges happen only when somebody asks.
pub(crate) fn only_when_asked() {
    ONLY_WHEN_ASKED.store(1, Ordering::Relaxed);
}

/// A version was made current, so that others may be purged soon.
pub(crate) fn after_swap() {
    if ONLY_WHEN_ASKED.load(Ordering::Relaxed) != 0 {
        return;
    }
    // Without a thread all stays as it is.
    let _ = tell(Order::Swapped);
}

/// Purges, and waits until that is done.
pub(crate) fn order(manner: Manner) -> PurgeReport {
    if on_swap::is_running() {
        // It would wait for the end of what it is called by.
        return PurgeReport::default();
    }
    let (answer, answered) = sync_channel(1);
    if tell(Order::Asked(manner, answer)).is_none() {
        return PurgeReport::default();
    }
    answered.recv().unwrap_or_default()
}

/// Tells the thread, which is started if need be.
fn tell(order: Order) -> Option<()> {
    // A child has no such thread, and no patches.
    listen::service()?;
    let mut orders = lock(&ORDERS);
    if orders.is_none() {
        let (sender, receiver) = channel();
        let thread = listen::with_signals_blocked(|| {
            let builder = thread::Builder::new().name("hotswap-purge".to_owned());
            let builder = builder.stack_size(FRESH_STACK);
            builder.spawn(move || serve(&receiver))
        });
        thread.ok()?;
        *orders = Some(sender);
    }
    orders.as_ref()?.send(order).ok()
}

/// When the next attempt is due.
struct Plan {
    next: Option<Instant>,
    pause: Duration,
}

impl Plan {
    fn soon(&mut self) {
        self.pause = FIRST_PAUSE;
        self.next = Some(Instant::now() + self.pause);
    }

    /// After an attempt.
    fn again(&mut self, any_left: bool) {
        self.next = any_left.then(|| Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

fn serve(orders: &Receiver<Order>) {
    // All of this thread's variables lie below.
    let first = 0u8;
    let own_start = (&raw const first).expose_provenance() + FRAME_BYTES;
    let mut plan = Plan {
        next: None,
        pause: FIRST_PAUSE,
    };
    loop {
        let wait = plan
            .next
            .map(|next| next.saturating_duration_since(Instant::now()));
        let order = match wait {
            Some(wait) => orders.recv_timeout(wait),
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match order {
            Ok(Order::Swapped) => plan.soon(),
            Ok(Order::Asked(manner, answer)) => {
                // Whoever asked may have left.
                let (report, any_left) = purge_or_fail(manner, own_start);
                if any_left && !report.ended.is_empty() && manner == Manner::Full {
                    plan.soon();
                }
                let _ = answer.send(report);
            }
            Err(RecvTimeoutError::Timeout) => {
                let (_, any_left) = purge_or_fail(Manner::Soft, own_start);
                plan.again(any_left);
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// As [`purge`]. A panic ends this attempt, and not the thread.
fn purge_or_fail(manner: Manner, own_start: usize) -> (PurgeReport, bool) {
    let outcome = catch_unwind(AssertUnwindSafe(|| purge(manner, own_start)));
    outcome.unwrap_or_else(|panic| {
        std::mem::forget(panic);
        (PurgeReport::default(), true)
    })
}

/// Looks at all images of old versions, and tells whether any is left.
fn purge(manner: Manner, own_start: usize) -> (PurgeReport, bool) {
    let (mut report, mut any_left) = (PurgeReport::default(), false);
    let Some(service) = listen::service() else {
        return (report, false);
    };
    let _turn = loop {
        match service.begin_purge() {
            Some(turn) => break turn,
            None => thread::sleep(LOOK),
        }
    };
    report.ways_given_up = match manner {
        Manner::Full => fork::undivided(old::give_up_ways),
        Manner::DryRun => fork::undivided(old::ways),
        _ => Vec::new(),
    };
    if manner != Manner::Soft {
        report.ended = end_work(manner == Manner::Full);
    }
    for candidate in fork::undivided(old::candidates) {
        let of = candidate.of;
        let (free, kept) = purge_one(candidate, manner, own_start);
        any_left |= !free;
        // What was refused is no version.
        if let Of::Version(number) = of {
            report.versions.push(PurgedVersion::new(number, free, kept));
        }
    }
    (report, any_left)
}

/// Tells named threads and tasks of old versions to end, and handlers of servers that run in one, if that is
/// meant, and waits for them a moment. Gives their names.
fn end_work(is_meant: bool) -> Vec<String> {
    let replaced = fork::undivided(old::replaced);
    let is_old = |version: u64| replaced.contains(&version);
    let victims = victims(is_old);
    if is_meant && !victims.is_empty() {
        work::end_of_versions(is_old);
        system::end_handlers(is_old);
        let end = Instant::now() + ENDING;
        while Instant::now() < end && !self::victims(is_old).is_empty() {
            thread::sleep(LOOK);
        }
    }
    victims
}

fn victims(is_old: impl Fn(u64) -> bool) -> Vec<String> {
    let works = work::work().into_iter().filter(|it| is_old(it.version));
    let works = works.map(|work| match work.kind {
        WorkKind::Thread => format!("thread `{}`", work.name),
        WorkKind::Task => format!("task `{}`", work.name),
    });
    let servers = system::handling_in(&is_old).into_iter();
    let servers = servers.map(|server| format!("server {}", server.title()));
    works.chain(servers).collect()
}

/// Whether the image is out of memory, and else what keeps it.
fn purge_one(mut candidate: Candidate, manner: Manner, own_start: usize) -> (bool, Kept) {
    let mut kept = Kept::default();
    kept.attempts = candidate.attempts;
    kept.holders = std::mem::take(&mut candidate.holders);
    kept.holders
        .extend(fork::undivided(|| booked(&candidate.range)));
    if manner == Manner::DryRun {
        // They would be given up.
        kept.holders
            .retain(|holder| holder.kind != HolderKind::WayBack);
    }
    if kept.holders.is_empty() && manner != Manner::DryRun {
        kept.remarks = let_go(candidate.of);
    }
    let asked = manner == Manner::Soft;
    if kept.holders.is_empty() || !asked {
        kept.attempts += 1;
        let booked = kept.holders.len();
        for look in 1.. {
            attempt(&candidate, &mut kept, manner, own_start);
            let may_pass = booked == 0 && manner != Manner::DryRun && may_pass(&kept);
            if !may_pass || look == LOOKS {
                break;
            }
            // What is left on stacks is cleared by the calls that come.
            fork::undivided(|| {
                table::renew();
                registry::clear();
            });
            thread::sleep(BREATH);
            kept.holders.clear();
        }
    }
    let free = kept.holders.is_empty() && kept.obstacle.is_none();
    if let Of::Version(number) = candidate.of
        && !free
        && manner != Manner::DryRun
    {
        fork::undivided(|| old::is_kept(number, kept.clone()));
    }
    (free, kept)
}

/// Whether all that was found may be what is left in memory that is in use again, in part: it goes as the
/// program runs.
fn may_pass(kept: &Kept) -> bool {
    use HolderKind::{Memory, Register, Stack};
    let mut holders = kept.holders.iter();
    kept.obstacle.is_none()
        && !kept.holders.is_empty()
        && holders.all(|holder| matches!(holder.kind, Memory | Register | Stack))
}

/// Has a version let go of what keeps it, the first time. Tells what went wrong.
fn let_go(of: Of) -> Vec<String> {
    let hooks: Hooks = fork::undivided(|| old::hooks_to_let_go(of));
    let (Of::Version(from) | Of::Refused(from)) = of;
    let to = table::current_version();
    hooks.run(When::OnPurge, Swap { from, to }).failures
}

/// What the runtime itself needs of an image.
fn booked(range: &Range<usize>) -> Vec<Holder> {
    let entries = table::running(range).into_iter();
    let entries = entries.map(|path| Holder::new(HolderKind::Entry, path));
    let cells = versions::needing(range).into_iter();
    let cells = cells.map(|path| Holder::new(HolderKind::Cell, path));
    let elements = chain::needing(range).into_iter().map(|(name, pieces)| {
        let mut holder = Holder::new(HolderKind::Elements, name);
        holder.words = pieces as u64;
        holder
    });
    entries.chain(cells).chain(elements).collect()
}

/// Scans memory, and takes the image out of it if nothing is found and that is what is wanted.
fn attempt(candidate: &Candidate, kept: &mut Kept, manner: Manner, own_start: usize) {
    fork::undivided(|| {
        table::scrub();
        registry::leave(&candidate.range);
    });
    let target = Target {
        range: candidate.range.clone(),
        ignored: candidate.of_loader.clone(),
        left_out: candidate.record.clone(),
        library: library(),
    };
    let looked = purge::look(&target, own_start);
    // From here to the end no fork comes, whose child would find locks of the loader held.
    let fork = fork::Turn::take();
    let mut signals = Signals::new(&candidate.range);
    let attempt = looked.stop(budget(), || signals.ask());
    let is_proven = attempt.obstacle.is_none() && attempt.found.is_empty() && signals.is_free();
    if is_proven
        && kept.holders.is_empty()
        && manner != Manner::DryRun
        && let Err(why) = unload(candidate)
    {
        kept.holders.push(Holder::new(HolderKind::Loader, why));
    }
    drop(fork);
    describe(candidate, &attempt, &signals, kept);
}

/// Notes what was found.
fn describe(candidate: &Candidate, attempt: &Attempt, signals: &Signals, kept: &mut Kept) {
    kept.obstacle = attempt.obstacle.map(|obstacle| obstacle.to_string());
    kept.stood_us = u64::try_from(attempt.stood.as_micros()).unwrap_or(u64::MAX);
    kept.scanned = attempt.scanned;
    kept.holders.extend(signals.holders());
    kept.holders
        .extend(holders::name(candidate, &attempt.found));
}

/// Gives an image back to the loader. An error says that it is still there.
fn unload(candidate: &Candidate) -> Result<(), &'static str> {
    let unknown = || "it can't be told what is mapped";
    let before = files_in(&candidate.range).ok_or_else(unknown)?;
    let Some(image) = old::take_image(candidate.of, &candidate.range) else {
        return Err("the image is not listed");
    };
    versions::forget(&candidate.range);
    drop(image);
    // Something else may have been mapped there already, such as the stack of a new thread.
    let after = files_in(&candidate.range).ok_or_else(unknown)?;
    if before.is_empty() || after.iter().any(|file| before.contains(file)) {
        // There is no handle any more, so it stays for good.
        return Err("the system's loader keeps it (a unique symbol, or another user of the file)");
    }
    if let Of::Version(number) = candidate.of {
        old::is_purged(number);
    }
    Ok(())
}

/// The files that are mapped in the range, as device and number; none if that can't be told.
fn files_in(range: &Range<usize>) -> Option<Vec<String>> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let address = |text: &str| usize::from_str_radix(text, 16).unwrap_or(0);
    let lines = maps.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let (device, file) = (words.nth(2)?, words.next()?);
        let is_there = address(start) < range.end && range.start < address(end);
        (is_there && file != "0").then(|| format!("{device} {file}"))
    });
    Some(lines.collect())
}

/// Where the code of the C library lies.
fn library() -> Range<usize> {
    static LIBRARY: OnceLock<Range<usize>> = OnceLock::new();
    LIBRARY
        .get_or_init(|| {
            let objects = loaded::objects();
            let is_library = |name: &[u8]| name.ends_with(b"/libc.so.6");
            let library = objects.iter().find(|object| is_library(&object.name));
            let code = library.and_then(|library| {
                let mut segments = library.segments.iter();
                let code = segments.find(|it| it.kind == 1 && it.flags & 1 != 0)?;
                let start = library.base + code.address as usize;
                Some(start..start + code.memory_bytes as usize)
            });
            code.unwrap_or(0..0)
        })
        .clone()
}
