//! The thread that walks over values: it assembles, and waits to hear which ones to take apart.
//!
//! It has a large stack, since values may be nested deeply, and it alone calls functions of the
//! user's (with the threads that it starts for parts of containers, and waits for), so that one that
//! never returns is left behind with it.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::convert::context::{Context, STACK_BYTES};
use crate::convert::copy::Block;
use crate::convert::failure::Failure;
use crate::convert::progress::{Progress, Watch};
use crate::convert::{Conversions, Index, run, shared, undo};
use crate::live::core::Hold;
use crate::live::lock::MIGRATION_THREAD;
use crate::sync::{AtomicUsize, Ordering};

/// How often a thread that waits looks whether the other one still moves.
const LOOK: Duration = Duration::from_millis(20);

/// The side of the transaction.
#[derive(Debug)]
pub(crate) struct Walker {
    thread: JoinHandle<()>,
    orders: Sender<Order>,
    reports: Receiver<Report>,
    progress: Arc<Progress>,
    /// The number of the value that is being converted.
    cell: Arc<AtomicUsize>,
}

/// What the thread is told to do.
enum Order {
    /// Assemble new values for these.
    Assemble(Plans, Addresses),
    /// The new values count.
    Release,
    /// The cell is given back when the thread is done.
    Abandon(Option<Hold<'static>>),
}

/// What the thread tells.
#[derive(Debug)]
enum Report {
    /// All values are assembled.
    Assembled(New),
    /// Nothing is assembled, for this reason.
    Failed(String),
    /// Nothing is left to do; what went wrong when it was too late.
    Released(Vec<String>),
}

/// The path and conversion of each value.
type Plans = Vec<(String, Index)>;

/// What was assembled.
#[derive(Debug)]
pub(super) struct New {
    /// The new values' addresses, in the order of the old ones.
    pub(super) addresses: Vec<*mut u8>,
    /// How many values there are with all that they consist of.
    pub(super) values: u64,
    /// How long it took.
    pub(super) time: Duration,
}

// SAFETY: as for `Addresses`.
unsafe impl Send for New {}

/// Addresses of values that one thread at a time uses.
#[derive(Debug)]
struct Addresses(Vec<*mut u8>);

// SAFETY: the types of cells' values are `Send` and `Sync`; that is asked for by the bounds under
// which a `Live` can be in a static. They are used by the thread that has this.
unsafe impl Send for Addresses {}

/// Why there are no new values.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Nothing is left of them.
    Failed(String),
    /// A function has not returned.
    Stuck {
        walker: Walker,
        /// The number of the value that it was called for.
        cell: usize,
    },
}

impl Walker {
    /// Starts the thread.
    pub(super) fn start(
        conversions: Arc<Conversions>,
        threads: Option<NonZero<usize>>,
    ) -> io::Result<Self> {
        let (orders, order) = mpsc::channel();
        let (report, reports) = mpsc::channel();
        let (progress, cell) = (Arc::new(Progress::default()), Arc::new(AtomicUsize::new(0)));
        let mut work = Work {
            conversions,
            threads,
            plans: Vec::new(),
            old: Addresses(Vec::new()),
            new: Addresses(Vec::new()),
            progress: Arc::clone(&progress),
            cell: Arc::clone(&cell),
        };
        let thread = thread::Builder::new()
            .name(MIGRATION_THREAD.into())
            .stack_size(STACK_BYTES)
            .spawn(move || work.run(&report, &order))?;
        Ok(Self {
            thread,
            orders,
            reports,
            progress,
            cell,
        })
    }

    /// Has new values assembled for these: each with the path of its cell and its conversion.
    pub(super) fn assemble(&self, values: Vec<(String, Index, *mut u8)>) {
        let (plans, old) = values
            .into_iter()
            .map(|(path, index, value)| ((path, index), value))
            .unzip();
        // If the thread has died, that is seen when its report is waited for.
        let _ = self.orders.send(Order::Assemble(plans, Addresses(old)));
    }

    /// Waits for all new values, but for no function of the user's longer than `limit`.
    pub(super) fn assembled(self, limit: Duration) -> Result<(Self, New), Stopped> {
        match self.wait(limit) {
            Some(Report::Assembled(new)) => Ok((self, new)),
            Some(Report::Failed(reason)) => {
                self.join();
                Err(Stopped::Failed(reason))
            }
            Some(Report::Released(_)) | None => {
                self.progress.cancel();
                let cell = self.cell.load(Ordering::SeqCst);
                Err(Stopped::Stuck { walker: self, cell })
            }
        }
    }

    /// Has the old values taken apart, and gives what went wrong with that.
    pub(super) fn release(self, limit: Duration) -> Vec<String> {
        if self.orders.send(Order::Release).is_err() {
            return vec!["the thread of the migration has ended early".to_owned()];
        }
        match self.wait(limit) {
            Some(Report::Released(late)) => {
                self.join();
                late
            }
            _ => vec!["a destructor of an old value has not returned".to_owned()],
        }
    }

    /// Leaves the thread to itself, with a cell that it still reads. Others can read it too, unless a
    /// function has the value alone, or there are locks in it.
    pub(super) fn abandon(self, hold: Option<Hold<'static>>) {
        let alone = self.progress.is_alone();
        let hold = hold.map(|mut hold| {
            if !alone {
                hold.share();
            }
            hold
        });
        // If the thread has ended meanwhile, the cell is given back here.
        let _ = self.orders.send(Order::Abandon(hold));
    }

    /// The thread's next report; none if a function of the user's takes longer than `limit`.
    fn wait(&self, limit: Duration) -> Option<Report> {
        let mut watch = Watch::new();
        loop {
            match self.reports.recv_timeout(LOOK.min(limit)) {
                Ok(report) => return Some(report),
                Err(RecvTimeoutError::Disconnected) => {
                    return Some(Report::Failed(
                        "the thread of the migration has died".into(),
                    ));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if watch.longest(&self.progress) >= limit {
                return None;
            }
        }
    }

    /// Waits for the thread's end, so that no code of an image runs in it any more.
    fn join(self) {
        let Self { thread, orders, .. } = self;
        drop(orders);
        // It was heard that it is done; what it panics with afterwards comes from thread-locals.
        let _ = thread.join();
    }
}

/// What the thread works on.
struct Work {
    conversions: Arc<Conversions>,
    /// How many threads may convert elements in a row.
    threads: Option<NonZero<usize>>,
    plans: Plans,
    old: Addresses,
    new: Addresses,
    progress: Arc<Progress>,
    cell: Arc<AtomicUsize>,
}

impl Work {
    fn run(&mut self, report: &Sender<Report>, order: &Receiver<Order>) {
        let conversions = Arc::clone(&self.conversions);
        let progress = Arc::clone(&self.progress);
        let mut context = Context::new(&conversions, &progress, self.threads);
        let Ok(Order::Assemble(plans, old)) = order.recv() else {
            return;
        };
        (self.plans, self.old) = (plans, old);
        let began = Instant::now();
        let assembled = self.assemble(&mut context);
        // SAFETY: without success nothing old is read again; otherwise all references were found.
        unsafe { shared::let_others_go(&mut context) };
        if let Err(reason) = assembled {
            self.discard(&mut context);
            let _ = report.send(Report::Failed(reason));
            // If the transaction has given up, it sends what this thread has to give back.
            if let Ok(Order::Abandon(hold)) = order.recv() {
                drop(hold);
            }
            return;
        }
        let told = report.send(Report::Assembled(New {
            addresses: self.new.0.clone(),
            values: context.values,
            time: began.elapsed(),
        }));
        match order.recv() {
            Ok(Order::Release) if told.is_ok() => {
                self.release(&mut context);
                let _ = report.send(Report::Released(std::mem::take(&mut context.late)));
            }
            Ok(Order::Abandon(hold)) => {
                self.discard(&mut context);
                drop(hold);
            }
            _ => self.discard(&mut context),
        }
    }

    /// Makes all new values. Those made before a failure stay for [`discard`](Self::discard).
    fn assemble(&mut self, context: &mut Context<'_>) -> Result<(), String> {
        for (number, (path, index)) in self.plans.iter().enumerate() {
            self.progress.meets_locks(false);
            self.cell.store(number, Ordering::SeqCst);
            // Whoever gives up keeps the cell of this number, and lets go of all others.
            if self.progress.is_cancelled() {
                return Err(format!("the change of `{path}` has taken too long"));
            }
            let new = context.conversions.get(*index).new;
            let block = Block::new(new.size, new.align, 1)
                .ok_or_else(|| format!("`{path}` is too large"))?;
            // SAFETY: the transaction holds the cell alone, and told its value and the conversion
            // whose old type that has. The block has room for one of the new type.
            let outcome = unsafe { run::convert(context, *index, self.old.0[number], block.start) };
            outcome.map_err(|failure| in_cell(path, &failure))?;
            self.new.0.push(block.into_start());
        }
        // SAFETY: the transaction holds the cells, and does not give up meanwhile.
        let outcome = (self.progress).check(|| unsafe { shared::check_found(context) });
        let outcome = outcome.ok_or("the last function has taken too long")?;
        outcome.map_err(|failure| failure.to_string())
    }

    /// Takes all new values apart.
    fn discard(&mut self, context: &mut Context<'_>) {
        for (&new, (_, index)) in self.new.0.iter().zip(&self.plans) {
            let schema = context.conversions.get(*index).new;
            // SAFETY: the value was assembled, and nobody has heard of it, or all have forgotten.
            unsafe {
                undo::discard(context, *index, new);
                drop(Block::adopt(new, schema.size, schema.align));
            }
        }
        // SAFETY: no value refers to what is shared any more.
        unsafe { shared::discard_all(context) };
    }

    /// Takes all old values apart.
    fn release(&mut self, context: &mut Context<'_>) {
        // SAFETY: the cells have the new values, so nobody uses the old ones again. All were
        // converted, and each box was allocated for its schema's layout.
        unsafe {
            shared::retain_all(context);
            for (&old, (_, index)) in self.old.0.iter().zip(&self.plans) {
                let schema = context.conversions.get(*index).old;
                undo::release(context, *index, old);
                drop(Block::adopt(old, schema.size, schema.align));
            }
            shared::release_all(context);
        }
    }
}

fn in_cell(path: &str, failure: &Failure) -> String {
    format!("cell `{path}`, {failure}")
}
