//! Holds on to its own code as it is told.

use std::cell::RefCell;
use std::io;
use std::panic;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use hotswap::server::{Context, Handle, Init, Options, Restart, whereis};
use hotswap::{Migrate, ThirdVersion};

const LONG: Duration = Duration::from_secs(120);

unsafe extern "C" {
    fn signal(number: i32, handler: usize) -> usize;
    fn __cxa_atexit(function: extern "C" fn(usize), argument: usize, file: usize) -> i32;
}

static FUNCTION: Mutex<Option<fn() -> &'static str>> = Mutex::new(None);
/// Of the version with this number, which lets go of it itself.
static LET_GO: Mutex<Option<(u64, fn() -> &'static str)>> = Mutex::new(None);
static OBJECT: Mutex<Option<Box<dyn Named>>> = Mutex::new(None);
static RECORDS: Mutex<Vec<(u64, &'static str)>> = Mutex::new(Vec::new());
static FUTURE: Mutex<Option<Pin<Box<dyn Future<Output = u64> + Send>>>> = Mutex::new(None);
static TIMERS: Mutex<Vec<(u64, Waker)>> = Mutex::new(Vec::new());
static THREAD: Mutex<Option<JoinHandle<()>>> = Mutex::new(None);
static AWAKE: AtomicBool = AtomicBool::new(false);
static INSIDE: AtomicBool = AtomicBool::new(false);

trait Named: Send {
    fn name(&self) -> &'static str;
}

fn name_of_object() -> &'static str {
    OBJECT.lock().unwrap().as_ref().map_or("none", |object| object.name())
}

struct Some7(u64);

impl Named for Some7 {
    fn name(&self) -> &'static str {
        if self.0 == 7 { text() } else { "other" }
    }
}

struct Woken(u64);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        println!("{} {}", text(), self.0);
    }
}

struct Last(u64);

impl Drop for Last {
    fn drop(&mut self) {
        if self.0 == 0 {
            println!("{}", text());
        }
    }
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

fn text() -> &'static str {
    "text 0"
}

#[hotswap::on_purge]
fn let_go_of_own(swap: hotswap::Swap) -> Result<(), String> {
    let mut let_go = LET_GO.lock().unwrap();
    match *let_go {
        Some((version, _)) if version == swap.from => {
            *let_go = None;
            Err(format!("{version} has let go"))
        }
        _ => Ok(()),
    }
}

extern "C" fn at_signal(_: i32) {
    AWAKE.store(true, Ordering::Relaxed);
}

extern "C" fn at_exit(_: usize) {
    let _ = text();
}

/// Replies with the text of the code that began it.
#[derive(Migrate)]
struct Clerk {
    began: String,
}

#[hotswap::server]
impl hotswap::Server for Clerk {
    /// Whether to ask the other one, which does not reply.
    type Call = bool;
    type Reply = String;

    fn init(_: (), _: &mut Context<'_, Self>) -> Init<Self> {
        Ok(Self { began: text().to_owned() })
    }

    fn handle_call(&mut self, is_to_wait: bool, _: &mut Context<'_, Self>) -> String {
        if is_to_wait {
            INSIDE.store(true, Ordering::Relaxed);
            return clerk("silent").call_within(LONG, false).expect("a reply");
        }
        self.began.clone()
    }
}

fn clerk(name: &str) -> Handle<Clerk> {
    whereis(name).expect("it runs")
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls until it is over.
fn run(future: impl Future) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    while future.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
}

#[hotswap::entry]
fn pass() {
    thread::sleep(Duration::from_millis(1));
}

/// A thread, a task and a server's handler that go on in the code of this version.
fn begin() {
    let worker = hotswap::thread::spawn("worker", || loop {
        pass();
    });
    drop(worker.expect("a thread"));
    let start = |task| thread::spawn(move || run(task));
    hotswap::task::spawn("waiter", std::future::pending::<()>(), start);
    INSIDE.store(false, Ordering::Relaxed);
    // Its loop is the runtime's, so that it does not stay in this version.
    hotswap::server::spawn::<Clerk>(()).expect("it starts");
    clerk("silent").suspend(LONG).expect("it is suspended");
    drop(clerk("busy").ask(true));
    while !INSIDE.load(Ordering::Relaxed) {
        thread::yield_now();
    }
}

/// Runs in the host's own code, and calls in once.
fn thread_of_host() {
    touch();
    while !AWAKE.load(Ordering::Relaxed) {
        thread::park();
    }
}

#[hotswap::entry]
fn touch() {
    let _ = text();
    LAST.with(|last| *last.borrow_mut() = Some(Last(1)));
    INSIDE.store(true, Ordering::Relaxed);
}

#[hotswap::entry]
fn order_sleep() {
    INSIDE.store(true, Ordering::Relaxed);
    while !AWAKE.load(Ordering::Relaxed) {
        thread::park();
    }
    let _ = text();
}

fn sleeper() {
    order_sleep();
}

fn start(name: &str, run: fn()) {
    AWAKE.store(false, Ordering::Relaxed);
    INSIDE.store(false, Ordering::Relaxed);
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    *THREAD.lock().unwrap() = Some(thread.unwrap());
    while !INSIDE.load(Ordering::Relaxed) {
        thread::yield_now();
    }
}

#[hotswap::entry]
fn hold(what: &str) {
    match what {
        "function" => *FUNCTION.lock().unwrap() = Some(text),
        "own" => *LET_GO.lock().unwrap() = Some((hotswap::version(), text)),
        "object" => *OBJECT.lock().unwrap() = Some(Box::new(Some7(7))),
        "text" => RECORDS.lock().unwrap().push((5, text())),
        "work" => begin(),
        "began" => println!("{}", clerk("busy").call_within(LONG, false).expect("a reply")),
        "kill" => hotswap::set_third_version(ThirdVersion::KILL),
        "name" => println!("{}", name_of_object()),
        "future" => {
            *FUTURE.lock().unwrap() = Some(Box::pin(async {
                std::future::pending::<()>().await;
                text().len() as u64
            }));
        }
        "waker" => TIMERS.lock().unwrap().push((5, Arc::new(Woken(5)).into())),
        "hook" => panic::set_hook(Box::new(|_| println!("{}", text()))),
        "signal" => {
            // SAFETY: the handler only stores.
            unsafe { signal(10, at_signal as extern "C" fn(i32) as usize) };
        }
        "exit" => {
            // SAFETY: the function does nothing.
            unsafe { __cxa_atexit(at_exit, 0, 0) };
        }
        _ => {}
    }
}

fn let_go(what: &str) {
    match what {
        "function" => *FUNCTION.lock().unwrap() = None,
        "object" => *OBJECT.lock().unwrap() = None,
        "text" => *RECORDS.lock().unwrap() = Vec::new(),
        "future" => *FUTURE.lock().unwrap() = None,
        "waker" => *TIMERS.lock().unwrap() = Vec::new(),
        // Taking it away leaves half of it where it was.
        "hook" => panic::set_hook(Box::new(|_| ())),
        "signal" => {
            // SAFETY: back to the default.
            unsafe { signal(10, 0) };
        }
        "destructor" | "asleep" => {
            AWAKE.store(true, Ordering::Relaxed);
            if let Some(thread) = THREAD.lock().unwrap().take() {
                thread.thread().unpark();
                thread.join().unwrap();
            }
        }
        _ => {}
    }
}

fn main() {
    // The machine may be busy.
    hotswap::set_purge_budget(Duration::from_secs(10));
    for name in ["silent", "busy"] {
        let options = Options::new().name(name).restart(Restart::OnFailure);
        options.spawn::<Clerk>(()).expect("it starts");
    }
    for line in io::stdin().lines() {
        let line = line.unwrap();
        match line.split_once(' ') {
            Some(("hold", "destructor")) => start("destructor", thread_of_host),
            Some(("hold", "asleep")) => start("sleeper", sleeper),
            Some(("hold", what)) => hold(what),
            Some((_, what)) => let_go(what),
            None => {
                hold(&line);
                // Words of old calls on this stack and in its free blocks go as others come.
                let other: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
                drop(other);
            }
        }
        match line.split_once(' ') {
            Some(("hold", _)) => println!("held"),
            Some(_) => println!("dropped"),
            None => println!("{line}"),
        }
    }
}
