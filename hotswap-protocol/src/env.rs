//! The names of the environment variables through which the tool reaches the program and rustc.

/// What all of them start with. The runtime takes every variable with this prefix out of the
/// program's environment before `main`, so that children start clean.
pub const PREFIX: &str = "HOTSWAP_";

/// Set to [`LISTEN_SIGNED`] or [`LISTEN_TOOL`] for a program that is to take control connections. Any
/// other value leaves the runtime asleep, and all but `0` and none are told of.
pub const LISTEN: &str = "HOTSWAP_LISTEN";

/// The value of [`LISTEN`] for a program that runs on its own: it takes signed patch files only.
pub const LISTEN_SIGNED: &str = "1";

/// The value of [`LISTEN`] for a program that the tool edits: it takes what its user's tool sends.
pub const LISTEN_TOOL: &str = "tool";

/// Where a program that listens for patch files writes down what is done with them.
pub const AUDIT: &str = "HOTSWAP_AUDIT";

/// The folder of releases. A program that has one in it that is permanent goes over to its executable before `main`.
pub const RELEASES: &str = "HOTSWAP_RELEASES";

/// Set while the runtime is compiled: the public key that patch files must be signed with, in minisign's
/// form (the line that starts with `RW`).
pub const PUBLIC_KEY: &str = "HOTSWAP_PUBLIC_KEY";

/// The name under which the program can be addressed. Without it: the executable's file name.
pub const NAME: &str = "HOTSWAP_NAME";

/// The number of an inherited pipe. The runtime writes [`READY`] when it listens, or one line of
/// UTF-8 that says why it does not, and closes it.
pub const READY_FD: &str = "HOTSWAP_READY_FD";

/// The byte that means "listening" on the pipe of [`READY_FD`]. No error line starts with it.
pub const READY: u8 = b'1';

/// The number of an inherited pipe. If a fatal signal comes, the runtime writes to it where that
/// was, in the form of [`crash`](crate::crash). The tool has to ask for it once the program runs.
pub const CRASH_FD: &str = "HOTSWAP_CRASH_FD";

/// The number of an inherited file that is empty and nobody else's: there the program puts the values of
/// its cells when it is to be replaced, in the form of [`saved`](crate::saved).
pub const SAVE_FD: &str = "HOTSWAP_SAVE_FD";

/// The number of an inherited file in which the program before has put its values.
pub const RESTORE_FD: &str = "HOTSWAP_RESTORE_FD";

/// Set to [`ON_PANIC_REVERT`] for a program that is to go back to the code before when an entry panics
/// soon after a swap, unless it decides otherwise itself.
pub const ON_PANIC: &str = "HOTSWAP_ON_PANIC";

/// The value of [`ON_PANIC`] that has the program go back. Any other leaves it as it is.
pub const ON_PANIC_REVERT: &str = "revert";

/// What swaps do while a version before the current one is in use: `wait`, `refuse`, `kill` or `keep`. Without
/// it they wait.
pub const THIRD_VERSION: &str = "HOTSWAP_THIRD_VERSION";

/// How old versions are taken out of memory: [`PURGE_OFF`], [`PURGE_CHECKED`], otherwise by themselves.
pub const PURGE: &str = "HOTSWAP_PURGE";

/// The value of [`PURGE`] with which that happens only when somebody asks.
pub const PURGE_OFF: &str = "off";

/// The value of [`PURGE`] for tests under valgrind or a sanitizer, where nothing can be proven: images go that the
/// runtime has no use for, and whoever else uses one is found out by the checker. Elsewhere it means nothing.
pub const PURGE_CHECKED: &str = "checked";

/// What [`SYSTEM_TUNABLES`] was before the tool changed it, empty if it was not set. The runtime sets
/// it back.
pub const TUNABLES: &str = "HOTSWAP_TUNABLES";

/// Settings of the C library, in which the tool asks for room for the thread-locals of patches.
pub const SYSTEM_TUNABLES: &str = "GLIBC_TUNABLES";

/// Set for rustc of hot crates: the attribute macros expand to their hot form.
pub const EXPAND: &str = "HOTSWAP_EXPAND";

/// Set for rustc of hot crates while a patch is built: the entries whose calls are logged, as descriptors name
/// them, parted by commas.
pub const LOG: &str = "HOTSWAP_LOG";
