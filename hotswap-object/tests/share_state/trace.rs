//! Runs a step one instruction at a time and unwinds the stack at each that lies in an image.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

const TRAP: c_int = 5;
const WITH_CONTEXT: c_int = 4;
/// Offset of the instruction pointer in the context that a signal handler gets.
const INSTRUCTION_POINTER: usize = 168;

static START: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);
static TAKEN: AtomicUsize = AtomicUsize::new(0);
static FAILED: AtomicUsize = AtomicUsize::new(0);

#[repr(C)]
struct Action {
    handler: usize,
    mask: [u64; 16],
    flags: c_int,
    restorer: usize,
}

#[repr(C)]
struct Place {
    file: *const c_char,
    base: usize,
    name: *const c_char,
    address: usize,
}

type Visit = extern "C" fn(*mut c_void, *mut c_void) -> c_int;

unsafe extern "C" {
    fn sigaction(signal: c_int, action: *const Action, old: *mut Action) -> c_int;
    fn dladdr(address: *const c_void, place: *mut Place) -> c_int;
    fn _Unwind_Backtrace(visit: Visit, data: *mut c_void) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
    fn _Unwind_FindEnclosingFunction(address: *mut c_void) -> *mut c_void;
}

extern "C" fn visit(context: *mut c_void, found: *mut c_void) -> c_int {
    // SAFETY: the unwinder calls this with its own context and what `on_trap` handed over.
    unsafe {
        let function = _Unwind_FindEnclosingFunction(_Unwind_GetIP(context) as *mut c_void);
        if function as usize == under_trap as *const () as usize {
            *found.cast::<bool>() = true;
        }
    }
    0
}

extern "C" fn on_trap(_: c_int, _: *mut c_void, context: *mut c_void) {
    // SAFETY: the kernel hands over a context of the documented layout.
    let at = unsafe { context.byte_add(INSTRUCTION_POINTER).cast::<usize>().read() };
    if !(START.load(Ordering::Relaxed)..END.load(Ordering::Relaxed)).contains(&at) {
        return;
    }
    let mut found = false;
    // SAFETY: `visit` writes to `found` alone.
    unsafe { _Unwind_Backtrace(visit, (&raw mut found).cast()) };
    TAKEN.fetch_add(1, Ordering::Relaxed);
    if !found {
        FAILED.fetch_add(1, Ordering::Relaxed);
        if std::env::var_os("TRACE").is_some() {
            eprintln!("{at:x}");
        }
    }
}

/// Calls a step with the processor's trap flag set.
#[inline(never)]
fn under_trap(step: extern "C" fn(u64) -> u64) -> u64 {
    // SAFETY: every trap goes to `on_trap`, which changes nothing that is observed here.
    unsafe {
        std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq");
        let result = step(1);
        std::arch::asm!("pushfq", "and qword ptr [rsp], ~0x100", "popfq");
        result
    }
}

/// Steps through an image whose code lies between two offsets: how many stacks were unwound, and
/// how many of them didn't lead back here.
pub fn run(step: extern "C" fn(u64) -> u64, start: usize, end: usize) -> (usize, usize) {
    let action = Action {
        handler: on_trap as *const () as usize,
        mask: [0; 16],
        flags: WITH_CONTEXT,
        restorer: 0,
    };
    let mut place = Place {
        file: ptr::null(),
        base: 0,
        name: ptr::null(),
        address: 0,
    };
    // SAFETY: both structures have the layout that the C library documents.
    unsafe {
        assert_eq!(sigaction(TRAP, &raw const action, ptr::null_mut()), 0);
        assert_ne!(dladdr(step as *const c_void, &raw mut place), 0);
    }
    START.store(place.base + start, Ordering::Relaxed);
    END.store(place.base + end, Ordering::Relaxed);
    under_trap(step);
    (
        TAKEN.load(Ordering::Relaxed),
        FAILED.load(Ordering::Relaxed),
    )
}
