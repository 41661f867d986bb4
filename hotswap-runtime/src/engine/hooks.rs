//! Runs functions of the program's at swaps: `on_load`, `before_swap`, `after_swap`, `on_purge`.
//!
//! They run on a thread of their own, so that one that never returns is left behind with it, and nothing of
//! them is left on stacks of the runtime's.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use hotswap_protocol::hook::{self, When};

use crate::engine::elf::Use;
use crate::engine::listen;
use crate::engine::loaded::Loaded;
use crate::hidden::Hidden;
use crate::hook::Run;
use crate::on_swap::{self, Swap, panic_message};
use crate::transaction::limits;

/// The functions of one version, in the order in which they run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hooks(Arc<[Bound]>);

/// One of them. Remembering it keeps no image in memory.
#[derive(Debug, Clone)]
struct Bound {
    when: When,
    path: String,
    run: Hidden,
}

/// A function has no code at its address.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`, which runs at swaps, has no code at {address:#x}")]
pub(crate) struct NoCode {
    path: String,
    address: u64,
}

/// What came of running them.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// Whether there was any.
    pub(crate) any: bool,
    /// What went wrong, each with the function's name.
    pub(crate) failures: Vec<String>,
    /// Whether one of them runs on.
    pub(crate) is_stuck: bool,
}

impl Hooks {
    /// The functions that the manifest lists, at their addresses in this process.
    pub(crate) fn bind(
        hooks: &[hook::Hook],
        host: &Loaded,
        image: Option<&Loaded>,
    ) -> Result<Self, NoCode> {
        let bind = |hook: &hook::Hook| {
            let file = if hook.in_image { image } else { Some(host) };
            let run = file.and_then(|file| file.address(hook.address, 1, Use::Code));
            let run = run.ok_or_else(|| NoCode {
                path: hook.path.clone(),
                address: hook.address,
            })?;
            Ok(Bound {
                when: hook.when,
                path: hook.path.clone(),
                run: Hidden::new(run),
            })
        };
        let bound = hooks.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(bound.into()))
    }

    /// Whether there is any for this time.
    pub(crate) fn has(&self, when: When) -> bool {
        self.0.iter().any(|hook| hook.when == when)
    }

    /// Runs those for this time, whose code must be in memory, and waits for them. After the first failure
    /// of `on_load` no more are run.
    pub(crate) fn run(&self, when: When, swap: Swap) -> Ran {
        let mut ran = Ran::default();
        if !self.has(when) {
            return ran;
        }
        ran.any = true;
        let (tell, told) = mpsc::channel();
        let hooks = self.clone();
        let thread = start(move || {
            on_swap::begins_to_run();
            for bound in hooks.0.iter().filter(|bound| bound.when == when) {
                let outcome = bound.call(swap);
                let failed = outcome.is_err();
                // Whoever asked may have given up.
                if tell.send(outcome).is_err() || (failed && when == When::OnLoad) {
                    return;
                }
            }
        });
        let thread = match thread {
            Ok(thread) => thread,
            Err(error) => {
                let text = format!("there is no thread for functions marked `{when}`: {error}");
                ran.failures.push(text);
                return ran;
            }
        };
        let limit = limits().functions;
        let mut paths = self.0.iter().filter(|bound| bound.when == when);
        loop {
            let next = paths.next();
            match told.recv_timeout(limit) {
                Ok(outcome) => ran.failures.extend(outcome.err()),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let name = next.map_or("it", |bound| &bound.path);
                    let text = format!("`{name}` ({when}) has not returned in {limit:?}");
                    ran.failures.push(text);
                    ran.is_stuck = true;
                    return ran;
                }
            }
        }
        // No code of an image runs in it any more then.
        let _ = thread.join();
        ran
    }
}

fn start(work: impl FnOnce() + Send + 'static) -> io::Result<thread::JoinHandle<()>> {
    listen::with_signals_blocked(|| {
        let builder = thread::Builder::new().name("hotswap-hooks".to_owned());
        builder.spawn(work)
    })
}

impl Bound {
    fn call(&self, swap: Swap) -> Result<(), String> {
        // SAFETY: the tool has read the address from the symbol table of the very file whose build id was
        // compared, as that of a function that macro output has made, which has this type. The file is in
        // memory: the executable always, an image before its version is purged.
        let run = unsafe { std::mem::transmute::<*const (), Run>(self.run.get()) };
        let outcome = catch_unwind(AssertUnwindSafe(|| run(swap)));
        let Self { path, when, .. } = self;
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(format!("`{path}` ({when}) failed: {reason}")),
            Err(panic) => {
                let message = panic_message(panic);
                Err(format!("`{path}` ({when}) panicked: {message}"))
            }
        }
    }
}
