//! The expedited private memory barrier of Linux, and its absence elsewhere.

#[cfg(target_os = "linux")]
pub(super) use linux::{is_registered, issue};
#[cfg(not(target_os = "linux"))]
pub(super) use none::{is_registered, issue};

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    /// Whether the kernel granted the barrier when it was first asked.
    static GRANTED: OnceLock<bool> = OnceLock::new();

    /// Whether it refused it afterwards.
    static REVOKED: AtomicBool = AtomicBool::new(false);

    /// How long a processor is given to make its stores visible when it cannot be told to.
    const STORES_ARE_VISIBLE: Duration = Duration::from_millis(10);

    /// Registers the process at the first call; false where the kernel or a filter refuses.
    pub(crate) fn is_registered() -> bool {
        *GRANTED.get_or_init(barrier) && !REVOKED.load(Ordering::Relaxed)
    }

    /// Issues the barrier on every running thread of the process, where it was granted.
    ///
    /// A filter that the program has installed since may forbid it, while threads still rely on
    /// it. Later tables then ask for full fences; for this once, stores that were made long ago
    /// are taken for visible, which every processor sees to and no manual promises.
    pub(crate) fn issue() {
        if is_registered() && !barrier() {
            REVOKED.store(true, Ordering::Relaxed);
            std::thread::sleep(STORES_ARE_VISIBLE);
        }
    }

    /// Issues the barrier, and registers the process for it if need be, as after a fork.
    fn barrier() -> bool {
        membarrier(PRIVATE_EXPEDITED)
            || membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED)
    }

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: the system call takes three integers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    /// There is no such barrier: the light side has to be full.
    pub(crate) fn is_registered() -> bool {
        false
    }

    /// Nothing to do: both sides use full fences.
    pub(crate) fn issue() {}
}
