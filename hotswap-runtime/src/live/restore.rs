//! Values that the program before has saved, until each cell's first use takes its own.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use hotswap_protocol::checksum::Checksum;
use hotswap_protocol::saved::{LostCell, RestoreReport, SavedCell, Value};

use crate::convert::context::STACK_BYTES;
use crate::live::facts::{Facts, Fault, Made};
use crate::live::handle::Handle;
use crate::on_swap::panic_message;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::transaction::limits;

static WAITING: Mutex<Waiting> = Mutex::new(Waiting {
    read: None,
    values: BTreeMap::new(),
    report: None,
});

/// Reads the bytes at a place of the file.
pub(crate) type Read = fn(Range<u64>) -> Result<Vec<u8>, String>;

/// What has not been used yet, and what became of the rest.
struct Waiting {
    read: Option<Read>,
    /// By the addresses of the cells' handles.
    values: BTreeMap<usize, Saved>,
    /// There is one if the program was started with values.
    report: Option<RestoreReport>,
}

/// A value that was saved.
#[derive(Clone)]
pub(crate) struct Saved {
    /// The cell that it belongs to.
    pub(crate) handle: &'static Handle,
    /// What the file says of it.
    pub(crate) value: Value,
    /// Where its bytes are in the file.
    pub(crate) place: Range<u64>,
}

fn waiting() -> MutexGuard<'static, Waiting> {
    lock(&WAITING)
}

/// Makes known what the program was started with, and what of it is lost already.
pub(crate) fn begin(read: Read, values: Vec<Saved>, report: RestoreReport) {
    let mut waiting = waiting();
    waiting.read = Some(read);
    for saved in values {
        let handle = ptr::from_ref(saved.handle).addr();
        waiting.values.insert(handle, saved);
    }
    waiting.report = Some(report);
}

/// Cells that nobody has used yet.
pub(crate) fn unused() -> Vec<&'static Handle> {
    let waiting = waiting();
    waiting.values.values().map(|saved| saved.handle).collect()
}

/// The bytes of a value that nobody has used yet.
pub(crate) fn bytes_of(handle: usize) -> Option<(Value, Result<Vec<u8>, String>)> {
    let (saved, read) = {
        let waiting = waiting();
        (waiting.values.get(&handle)?.clone(), waiting.read?)
    };
    let bytes = checked(&saved, read);
    Some((saved.value, bytes))
}

/// Whether there is a value for this cell that nobody has used yet.
pub(crate) fn is_waiting(handle: usize) -> bool {
    waiting().values.contains_key(&handle)
}

/// What has become of all values so far; none if the program was started without.
pub(crate) fn report() -> Option<RestoreReport> {
    waiting().report.clone()
}

/// Makes the saved value of a cell, if there is one, and puts down what became of it.
///
/// The caller holds the cell alone, and it has no value yet.
pub(crate) fn make(handle: usize, facts: &'static Facts) -> Option<*mut u8> {
    let (saved, read) = {
        let mut waiting = waiting();
        (waiting.values.remove(&handle)?, waiting.read?)
    };
    let made = match &facts.saver {
        Some(saver) => checked(&saved, read)
            .map_err(Fault::new)
            .and_then(|bytes| apart(limits().functions, move || (saver.restore)(&bytes))),
        None => Err(Fault::new(NOT_SAVED)),
    };
    let mut waiting = waiting();
    let report = waiting.report.get_or_insert_default();
    let value = saved.value;
    match made {
        Ok(made) => {
            report.restored.push(SavedCell {
                path: value.path,
                bytes: value.bytes,
            });
            Some(made)
        }
        Err(Fault { field, reason }) => {
            report.lost.push(LostCell {
                path: value.path,
                type_name: value.type_name,
                field,
                reason,
            });
            None
        }
    }
}

/// Why a cell is not saved although nothing failed.
pub(crate) const NOT_SAVED: &str = if cfg!(feature = "serde") {
    "made with `Live::new`, not `Live::saved`"
} else {
    "made with `Live::new`, not `Live::saved`, which the feature `serde` of hotswap-runtime brings"
};

fn checked(saved: &Saved, read: Read) -> Result<Vec<u8>, String> {
    let bytes = read(saved.place.clone())?;
    let mut checksum = Checksum::new();
    checksum.update(&bytes);
    if checksum.finish() == saved.value.checksum {
        Ok(bytes)
    } else {
        Err("what was saved is damaged".to_owned())
    }
}

/// Calls a function of the program's on a thread with room for values that are nested deeply, and
/// waits for it, but not longer than `limit`: the cell is held meanwhile, which the function may wait for. What
/// it makes later is dropped, on its thread.
fn apart(
    limit: Duration,
    make: impl FnOnce() -> Result<Box<dyn Made>, Fault> + Send + 'static,
) -> Result<*mut u8, Fault> {
    // Without room, so that what is not received never is on its way.
    let (sender, receiver) = sync_channel(0);
    let caught = move || {
        let made = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| {
            let text = panic_message(panic);
            Err(Fault::new(format!("its `Deserialize` panicked: {text}")))
        });
        let _ = sender.send(made);
    };
    let thread = thread::Builder::new()
        .name("hotswap-restore".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(caught)
        .map_err(|error| Fault::new(format!("no thread to restore it: {error}")))?;
    let made = match receiver.recv_timeout(limit) {
        Ok(made) => made,
        Err(RecvTimeoutError::Timeout) => {
            return Err(Fault::new(format!(
                "its `Deserialize` has not returned within {limit:?}; it must not wait for a cell"
            )));
        }
        Err(RecvTimeoutError::Disconnected) => Err(Fault::new("its thread has died")),
    };
    // Nothing of the thread's is left when the value is used.
    let _ = thread.join();
    made.map(Made::into_content)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    struct Value(Sender<()>);

    impl Drop for Value {
        fn drop(&mut self) {
            // Nobody may listen.
            let _ = self.0.send(());
        }
    }

    #[test]
    fn what_is_made_too_late_is_dropped() {
        let (go, wait) = channel::<()>();
        let (dropped, drops) = channel();
        let made = apart(Duration::ZERO, move || {
            wait.recv().map_err(Fault::new)?;
            Ok(Box::new(Value(dropped)))
        });
        assert!(made.unwrap_err().reason.contains("has not returned"));
        go.send(()).unwrap();
        drops.recv().unwrap();
    }
}
