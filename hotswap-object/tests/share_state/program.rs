//! A program with every kind of state. It runs the steps that its arguments name: `host` for its
//! own, else a path of an image whose step is called. What it prints must not depend on which
//! version does a step.

use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock, RwLock, mpsc};

#[cfg(second)]
fn inserted() -> u64 {
    let add = |value: u64| value + INSERTED.fetch_add(1, Ordering::SeqCst);
    thread_local! {
        static FRESH: Cell<u64> = const { Cell::new(40) };
    }
    FRESH.set(FRESH.get() + 1);
    add(1) + FRESH.get()
}

#[cfg(second)]
static INSERTED: AtomicU64 = AtomicU64::new(5);

const VERSION: &str = if cfg!(second) { "second" } else { "first" };

static COUNT: AtomicU64 = AtomicU64::new(7);
static NARROW: AtomicU8 = AtomicU8::new(250);
static SIGNED: AtomicI32 = AtomicI32::new(-3);
static FLAG: AtomicBool = AtomicBool::new(false);
static mut WORDS: [u32; 8] = [1; 8];
static mut ZEROES: [u64; 4] = [0; 4];
static mut FLOAT: f64 = 1.5;
static mut WIDE: u128 = 3;
static mut PAIR: (u8, u16) = (1, 2);
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());
static TABLE: RwLock<Option<Box<[u16]>>> = RwLock::new(None);
static LAZY: LazyLock<Mutex<String>> = LazyLock::new(|| Mutex::new(String::from("lazy")));
static ONCE: OnceLock<usize> = OnceLock::new();
static CALLED: Mutex<fn(u64) -> u64> = Mutex::new(twice);
static mut DIRECT: fn(u64) -> u64 = twice;
pub static PUBLIC: AtomicUsize = AtomicUsize::new(11);
static READ_ONLY: &str = "read only";

thread_local! {
    static CONSTANT: Cell<u64> = const { Cell::new(3) };
    static ZERO: Cell<u32> = const { Cell::new(0) };
    static LISTED: RefCell<Vec<u8>> = RefCell::new(vec![1]);
    static DROPPED: RefCell<Option<Dropped>> = const { RefCell::new(None) };
}

struct Dropped(u64);

impl Drop for Dropped {
    fn drop(&mut self) {
        COUNT.fetch_add(self.0, Ordering::SeqCst);
    }
}

struct Left;
struct Right;

trait Tick {
    fn tick(&self) -> usize;
}

impl Tick for Left {
    fn tick(&self) -> usize {
        static TICKS: AtomicUsize = AtomicUsize::new(0);
        TICKS.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(second)]
impl Tick for u8 {
    fn tick(&self) -> usize {
        static TICKS: AtomicUsize = AtomicUsize::new(0);
        TICKS.fetch_add(100, Ordering::Relaxed)
    }
}

impl Tick for Right {
    fn tick(&self) -> usize {
        static TICKS: AtomicUsize = AtomicUsize::new(0);
        TICKS.fetch_add(10, Ordering::Relaxed)
    }
}

#[inline(never)]
fn twice(value: u64) -> u64 {
    if value == 13 {
        panic!("unlucky");
    }
    value.wrapping_mul(2)
}

#[inline(never)]
fn arithmetic(input: u64) -> u64 {
    COUNT.fetch_add(input, Ordering::SeqCst);
    NARROW.fetch_add(1, Ordering::Relaxed);
    SIGNED.fetch_sub(2, Ordering::AcqRel);
    FLAG.fetch_xor(true, Ordering::SeqCst);
    let _ = COUNT.compare_exchange(8, 9, Ordering::SeqCst, Ordering::SeqCst);
    // SAFETY: only one thread runs steps at a time.
    unsafe {
        WORDS[3] += 1;
        WORDS[7] = WORDS[7].wrapping_mul(3) ^ input as u32;
        ZEROES[(input % 4) as usize] += input;
        ZEROES[1] |= 0x10;
        FLOAT = FLOAT * 1.25 + 0.5;
        WIDE = WIDE
            .wrapping_mul(0x1_0000_0001)
            .wrapping_add(u128::from(input));
        PAIR.0 = PAIR.0.wrapping_add(3);
        PAIR.1 = PAIR.1.rotate_left(1);
        if PAIR.1 > 100 {
            ZEROES[2] -= u64::from(PAIR.1 & 1);
        }
        u64::from(WORDS[3])
            + u64::from(WORDS[7])
            + ZEROES[0]
            + ZEROES[1]
            + ZEROES[2]
            + ZEROES[3]
            + FLOAT.to_bits()
            + WIDE as u64
            + u64::from(PAIR.0)
            + u64::from(PAIR.1)
    }
}

#[inline(never)]
fn sum_words() -> u64 {
    // SAFETY: only one thread runs steps at a time.
    unsafe {
        let mut sum = 0_u64;
        for index in 0..8 {
            sum = sum.wrapping_add(u64::from(WORDS[index]));
        }
        sum
    }
}

#[inline(never)]
fn call_direct(input: u64) -> u64 {
    // SAFETY: only one thread runs steps at a time.
    let result = std::panic::catch_unwind(|| unsafe { DIRECT(input) + 1 });
    let caught = std::panic::catch_unwind(|| unsafe { DIRECT(13) + 1 });
    result.unwrap_or(0) + u64::from(caught.is_err())
}

#[inline(never)]
fn locals(input: u64) -> u64 {
    CONSTANT.set(CONSTANT.get() + input);
    ZERO.set(ZERO.get() + 1);
    LISTED.with_borrow_mut(|list| list.push(input as u8));
    DROPPED.with_borrow_mut(|slot| slot.get_or_insert(Dropped(1000)).0 += 1);
    CONSTANT.get() + u64::from(ZERO.get()) + LISTED.with_borrow(|list| list.len() as u64)
}

#[inline(never)]
fn collections(input: u64) -> u64 {
    LOG.lock()
        .unwrap()
        .push(format!("{}{}", LAZY.lock().unwrap(), input));
    LAZY.lock().unwrap().push('+');
    let mut table = TABLE.write().unwrap();
    let mut list = table.take().unwrap_or_default().into_vec();
    list.push(input as u16);
    *table = Some(list.into_boxed_slice());
    let once = *ONCE.get_or_init(|| COUNT.load(Ordering::SeqCst) as usize);
    let called = *CALLED.lock().unwrap();
    let logged: usize = LOG.lock().unwrap().iter().map(String::len).sum();
    called(input)
        + (once + logged + READ_ONLY.len()) as u64
        + table.as_ref().map_or(0, |list| list.len() as u64)
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn fixture_step(input: u64) -> u64 {
    #[cfg(second)]
    assert!(inserted() > 40);
    let mut hash = arithmetic(input);
    for part in [
        sum_words(),
        call_direct(input),
        locals(input),
        collections(input),
        Left.tick() as u64,
        Right.tick() as u64,
        PUBLIC.fetch_add(1, Ordering::Relaxed) as u64,
        COUNT.load(Ordering::SeqCst),
        u64::from(NARROW.load(Ordering::Relaxed)),
        SIGNED.load(Ordering::Relaxed) as u64,
        u64::from(FLAG.load(Ordering::Relaxed)),
    ] {
        hash = (hash ^ part).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

#[unsafe(no_mangle)]
pub extern "C" fn fixture_version() -> *const c_char {
    if VERSION == "second" {
        c"second".as_ptr()
    } else {
        c"first".as_ptr()
    }
}

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
}

type Step = extern "C" fn(u64) -> u64;

/// What another thread shall call. The channels to it are both of numbers, since a channel of another type would be as
/// much code again as all else that is compiled here; what they have of std's thread-locals is what is wanted of them.
static JOB: Mutex<Step> = Mutex::new(fixture_step);

fn load(name: &str) -> (Step, String) {
    if name == "host" {
        return (fixture_step, String::from(VERSION));
    }
    let path = CString::new(name).unwrap();
    // SAFETY: the image's functions have the types of this program's own.
    unsafe {
        let handle = dlopen(path.as_ptr(), 2);
        if handle.is_null() {
            panic!("{}", std::ffi::CStr::from_ptr(dlerror()).to_string_lossy());
        }
        let step =
            std::mem::transmute::<*mut c_void, Step>(dlsym(handle, c"fixture_step".as_ptr()));
        let version: extern "C" fn() -> *const c_char =
            std::mem::transmute(dlsym(handle, c"fixture_version".as_ptr()));
        (
            step,
            std::ffi::CStr::from_ptr(version())
                .to_string_lossy()
                .into_owned(),
        )
    }
}

#[path = "trace.rs"]
mod trace;

pub fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    // A thread that is older than any image.
    let ((old, jobs), (answer, answered)) = (mpsc::channel(), mpsc::channel());
    std::thread::spawn(move || {
        for input in jobs {
            let step = *JOB.lock().unwrap();
            answer.send(step(input)).unwrap();
        }
    });
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "trace") {
        let (step, _) = load(&arguments[1]);
        let [start, end] = [2, 3].map(|index| arguments[index].parse().unwrap());
        let (taken, failed) = trace::run(step, start, end);
        println!("{taken} {failed}");
        return;
    }
    for (index, name) in arguments.drain(..).enumerate() {
        let (step, version) = load(&name);
        let input = index as u64 + 1;
        let here = step(input);
        *JOB.lock().unwrap() = step;
        old.send(input).unwrap();
        let there = answered.recv().unwrap();
        let fresh = std::thread::spawn(move || step(input)).join().unwrap();
        eprintln!("{version}");
        println!("{here:x} {there:x} {fresh:x}");
    }
}
