//! Starting servers.

use std::any::type_name;
use std::io;
use std::sync::Arc;
use std::thread;

use crate::server::Server;
use crate::server::cells::open;
use crate::server::control::{Control, Phase};
use crate::server::errors::{Reason, SpawnError};
use crate::server::handle::Handle;
use crate::server::policy::{Intensity, Policy, Restart};
use crate::server::registry;
use crate::server::run::{ServerLoop, run};

/// How a server is started.
///
/// ```
/// use hotswap::server::{Options, Restart};
/// # #[derive(hotswap::Migrate)]
/// # struct Counter(u64);
/// # #[hotswap::server]
/// # impl hotswap::Server for Counter {
/// #     fn init(_: (), _: &mut hotswap::server::Context<'_, Self>) -> hotswap::server::Init<Self> {
/// #         Ok(Self(0))
/// #     }
/// # }
///
/// let counter = Options::new()
///     .name("counter")
///     .restart(Restart::OnFailure)
///     .spawn::<Counter>(())?;
/// assert!(counter.is_alive());
/// # Ok::<(), hotswap::server::SpawnError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Options {
    name: Option<String>,
    restart: Restart,
    intensity: Intensity,
    stack_size: Option<usize>,
}

impl Options {
    /// No name, and no restart.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the server a name, which no other server of the program has.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says when the server is started again.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Says how often that may be.
    #[must_use]
    pub fn intensity(mut self, intensity: Intensity) -> Self {
        self.intensity = intensity;
        self
    }

    /// The size of the thread's stack in bytes.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Starts the server on a thread of its own, and waits for its `init`.
    ///
    /// # Errors
    ///
    /// The name is taken, `init` fails or panics, or the system has no thread; or the types of the
    /// server have changed since the code that starts it was compiled.
    pub fn spawn<S: Server>(self, args: S::Args) -> Result<Handle<S>, SpawnError> {
        let stack_size = self.stack_size;
        let control = self.register::<S>(args)?;
        start_thread(&control, stack_size).map_err(SpawnError::Thread)?;
        let begun = control.wait_until(None, |inner| {
            inner.phase != Phase::Starting && !matches!(inner.phase, Phase::Clearing(_))
        });
        let phase = begun.map(|inner| inner.phase.clone());
        match phase {
            Some(Phase::Ended(Reason::NotStarted(why))) => Err(SpawnError::Init(why)),
            _ => Ok(Handle::of(control.id)),
        }
    }

    /// Starts the server on whatever runs futures: `start` gets its loop, for example to give it to
    /// `tokio::spawn`. It does not wait for `init`: if that fails, calls tell so.
    ///
    /// Handlers run on the thread that polls, and should not block it. What `start` hands it to is mostly made for
    /// its type by the code that calls this: such a task keeps the version that started it in memory.
    ///
    /// # Errors
    ///
    /// The name is taken, or the types of the server have changed since the code that starts it was
    /// compiled.
    pub fn spawn_on<S: Server>(
        self,
        args: S::Args,
        start: impl FnOnce(ServerLoop),
    ) -> Result<Handle<S>, SpawnError> {
        let control = self.register::<S>(args)?;
        let handle = Handle::of(control.id);
        start(ServerLoop::new(control));
        Ok(handle)
    }

    fn register<S: Server>(self, args: S::Args) -> Result<Arc<Control>, SpawnError> {
        let cells = S::__cells();
        let kind = (
            type_name::<S>().to_owned(),
            std::ptr::from_ref(cells.states).addr(),
        );
        let policy = Policy::new(self.restart, self.intensity);
        let id = registry::next_number();
        let kept = cells.args.map(|cell| cell.wait()).transpose();
        let kept = kept.map_err(SpawnError::Stale)?;
        let control = Control::new(id, self.name, kind, cells.serve, policy);
        let control = registry::add(control)?;
        if let Some(kept) = kept {
            open(&kept).insert(id, args);
        }
        Ok(control)
    }
}

/// Starts the thread that a server runs on. Without one the server ends.
// For all types, and not inlined: else the thread would begin in the code of the version that starts it, and keep
// that in memory.
#[inline(never)]
fn start_thread(control: &Arc<Control>, stack_size: Option<usize>) -> io::Result<()> {
    let mut thread = thread::Builder::new().name(control.title());
    if let Some(bytes) = stack_size {
        thread = thread.stack_size(bytes);
    }
    let theirs = Arc::clone(control);
    if let Err(error) = thread.spawn(move || run(&theirs)) {
        control.change(|inner| inner.end(Reason::Abandoned));
        run(control);
        return Err(error);
    }
    Ok(())
}

/// Starts a server on a thread of its own, without a name and without restarts.
///
/// # Errors
///
/// As [`Options::spawn`].
pub fn spawn<S: Server>(args: S::Args) -> Result<Handle<S>, SpawnError> {
    Options::new().spawn(args)
}
