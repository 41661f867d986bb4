//! The expedited private memory barrier of Linux, and its absence elsewhere.

#[cfg(target_os = "linux")]
pub(super) use linux::{is_registered, issue};
#[cfg(not(target_os = "linux"))]
pub(super) use none::{is_registered, issue};

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::OnceLock;

    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    static REGISTERED: OnceLock<bool> = OnceLock::new();

    /// Registers the process at the first call; false where the kernel or a filter refuses.
    pub(crate) fn is_registered() -> bool {
        *REGISTERED
            .get_or_init(|| membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED))
    }

    /// Issues the barrier on every running thread of the process, where it is registered.
    pub(crate) fn issue() {
        if is_registered() && !membarrier(PRIVATE_EXPEDITED) {
            // Tables were published in the belief that this cannot fail, and the kernel promises
            // it for a registered process. Going on would miss calls that are under way.
            eprintln!("hotswap: the kernel refused a memory barrier that it had granted before");
            std::process::abort();
        }
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
