//! The kernel holds addresses of code that no scan of memory sees: what it does at signals.

use std::ops::Range;

use hotswap_protocol::purge::{Holder, HolderKind};

/// What the kernel does at signals, as far as it concerns a range of addresses.
#[derive(Debug)]
pub(super) struct Signals {
    range: Range<usize>,
    failed: bool,
    leading_there: u64,
}

/// `struct kernel_sigaction` of x86_64.
#[repr(C)]
#[derive(Default)]
struct KernelAction {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

const SIGNALS: i32 = 64;

impl Signals {
    pub(super) fn new(range: &Range<usize>) -> Self {
        Self {
            range: range.clone(),
            // Unless it is asked.
            failed: true,
            leading_there: 0,
        }
    }

    pub(super) fn ask(&mut self) {
        self.failed = false;
        for signal in 1..=SIGNALS {
            let mut action = KernelAction::default();
            // SAFETY: the call writes the action, whose mask has so many bytes, and changes none.
            let outcome = unsafe {
                let none = std::ptr::null::<KernelAction>();
                let bytes = size_of::<u64>();
                libc::syscall(libc::SYS_rt_sigaction, signal, none, &raw mut action, bytes)
            };
            self.failed |= outcome == -1;
            if self.range.contains(&action.handler) || self.range.contains(&action.restorer) {
                self.leading_there |= 1 << (signal - 1);
            }
        }
    }

    pub(super) fn is_free(&self) -> bool {
        !self.failed && self.leading_there == 0
    }

    pub(super) fn holders(&self) -> Vec<Holder> {
        let signals = (1..=SIGNALS).filter(|signal| self.leading_there >> (signal - 1) & 1 == 1);
        signals
            .map(|signal| Holder::new(HolderKind::Signal, signal.to_string()))
            .collect()
    }
}
